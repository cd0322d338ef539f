package tenant

import (
	"regexp"
	"slices"
)

// PromptNames are the prompts whose texts can be replaced (PromptGroupNameEnum).
var PromptNames = []string{
	"login", "login-id", "login-password", "login-passwordless", "login-email-verification", "signup", "signup-id", "signup-password",
	"phone-identifier-enrollment", "phone-identifier-challenge", "email-identifier-challenge", "reset-password", "custom-form", "consent",
	"customized-consent", "logout", "mfa-push", "mfa-otp", "mfa-voice", "mfa-phone", "mfa-webauthn", "mfa-sms", "mfa-email",
	"mfa-recovery-code", "mfa", "status", "device-flow", "email-verification", "email-otp-challenge", "organizations", "invitation",
	"common", "passkeys", "captcha", "brute-force-protection", "async-approval-flow", "confirmation",
}

// PartialNames are the prompts into which a page template may reach (PartialGroupsEnum).
var PartialNames = []string{
	"login", "login-id", "login-password", "login-passwordless", "signup", "signup-id", "signup-password", "customized-consent", "passkeys",
}

// Languages are the locales that can be enabled (PromptLanguageEnum).
var Languages = []string{
	"am", "ar", "ar-EG", "ar-SA", "az", "bg", "bn", "bs", "ca-ES", "cnr", "cs", "cy", "da", "de", "el", "en", "en-CA", "es", "es-419",
	"es-AR", "es-MX", "et", "eu-ES", "fa", "fi", "fr", "fr-CA", "fr-FR", "gl-ES", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it",
	"ja", "ka", "kk", "kn", "ko", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "my", "nb", "nl", "nn", "no", "pa", "pl", "pt", "pt-BR",
	"pt-PT", "ro", "ru", "sk", "sl", "so", "sq", "sr", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zgh", "zh-CN",
	"zh-HK", "zh-MO", "zh-TW",
}

// HasTexts reports whether texts can be kept for a prompt in a language.
func HasTexts(prompt, language string) bool {
	return slices.Contains(PromptNames, prompt) && slices.Contains(Languages, language)
}

var block = regexp.MustCompile(`\{%-?\s*(auth0:head|auth0:widget)\s*-?%\}`)

// placed reports whether a page template has the block of that name.
func placed(template, name string) bool {
	return slices.ContainsFunc(block.FindAllStringSubmatch(template, -1), func(m []string) bool { return m[1] == name })
}
