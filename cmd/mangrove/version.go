package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

type versionCommand struct{}

// Help is printed below the summary of --help.
func (versionCommand) Help() string { return "Example:\n\n  mangrove version" }

// Run prints one line.
func (versionCommand) Run(std streams) error {
	info, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintln(std.out, versionLine(info))
	return err
}

// versionLine is the version, the commit, and what it was built by and for.
func versionLine(info *debug.BuildInfo) string {
	version, commit := "unknown", ""
	if info != nil {
		version = info.Main.Version
		set := map[string]string{}
		for _, s := range info.Settings {
			set[s.Key] = s.Value
		}
		if commit = set["vcs.revision"]; len(commit) > 12 {
			commit = commit[:12]
		}
		if set["vcs.modified"] == "true" {
			commit += ", modified"
		}
	}
	parts := []string{"mangrove", version}
	if commit != "" {
		parts = append(parts, "("+commit+")")
	}
	parts = append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return strings.Join(parts, " ")
}
