package action

// ReadHook is readHook.
var ReadHook = readHook
