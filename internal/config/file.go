package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// maxFile bounds the configuration file; real ones have a few hundred bytes.
const maxFile = 1 << 20

// File is the settings of the configuration file: one YAML mapping whose keys
// are names of flags and whose values are scalars, or lists where the flag
// takes several values. It stands behind flags and environment: kong asks it
// for what the command line left open. The zero File is empty.
type File struct {
	values   map[string]string
	problems []error
}

// Option lets kong read f through the --config flag.
func (f *File) Option() kong.Option {
	return kong.OptionFunc(func(k *kong.Kong) error {
		if err := kong.Configuration(f.load).Apply(k); err != nil {
			return err
		}
		return kong.Resolvers(f).Apply(k)
	})
}

// load never fails: what is wrong with the file is told by Flags.Parse, with
// everything else that is wrong.
func (f *File) load(r io.Reader) (kong.Resolver, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		f.problems = append(f.problems, fmt.Errorf("--config: %w", err))
	case len(b) > maxFile:
		f.problems = append(f.problems, fmt.Errorf("--config: the file is larger than %d bytes", maxFile))
	default:
		f.values, f.problems = readYAML(b)
	}
	return f, nil
}

func readYAML(b []byte) (map[string]string, []error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, []error{fmt.Errorf("--config: not YAML: %w", err)}
	}
	if len(doc.Content) == 0 { // empty, or comments only
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, []error{errors.New("--config: the file has to be one mapping of settings")}
	}
	known := names()
	values := map[string]string{}
	var problems []error
	wrong := func(n *yaml.Node, format string, args ...any) {
		problems = append(problems, fmt.Errorf("--config: line %d: %s", n.Line, fmt.Sprintf(format, args...)))
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, val := root.Content[i], root.Content[i+1]
		if !slices.Contains(known, key.Value) {
			wrong(key, "unknown setting %q", key.Value)
			continue
		}
		if _, twice := values[key.Value]; twice {
			wrong(key, "%q is set twice", key.Value)
			continue
		}
		text, ok := scalar(val)
		if !ok {
			wrong(val, "%q has to be a text, a number, yes or no, or a list of texts", key.Value)
			continue
		}
		values[key.Value] = text
	}
	return values, problems
}

// scalar is the text of a scalar, or of a list of scalars joined by commas.
func scalar(n *yaml.Node) (string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return "", true
		}
		return n.Value, true
	case yaml.SequenceNode:
		items := make([]string, len(n.Content))
		for i, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return "", false
			}
			items[i] = c.Value
		}
		return strings.Join(items, ","), true
	}
	return "", false
}

// Validate implements kong.Resolver.
func (f *File) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. Kong asks it also for what the environment
// has set, and would let its answer win; nil leaves the environment's value. A
// variable that is set but empty counts as unset.
func (f *File) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	empty := false
	for _, name := range flag.Envs {
		v, set := os.LookupEnv(name)
		if v != "" {
			return nil, nil
		}
		empty = empty || set
	}
	if v := f.values[flag.Name]; v != "" {
		return v, nil
	}
	if empty && flag.HasDefault {
		return flag.Default, nil
	}
	return nil, nil
}
