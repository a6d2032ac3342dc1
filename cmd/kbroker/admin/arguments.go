package admin

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// FlagsFirst returns args with the flags of the named command before its arguments, which is where the parser looks for them,
// so that people may write them in either order. What follows a -- is argument, whatever it looks like. Args are those after
// the program's name; what is wrong with them is left for the parser to tell.
func FlagsFirst(commands []*cli.Command, args []string) []string {
	if completing := len(args) > 0 && args[len(args)-1] == "--generate-bash-completion"; completing {
		return args
	}
	leaf, depth := descend(commands, args)
	if leaf == nil {
		return args
	}
	flags := append([]string{}, args[:depth]...)
	var arguments []string
	for i := depth; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			arguments = append(arguments, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' { // a lone - is standard input
			arguments = append(arguments, arg)
			continue
		}
		flags = append(flags, arg)
		if takesNext(leaf, arg) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	if slices.ContainsFunc(arguments, func(a string) bool { return strings.HasPrefix(a, "-") }) {
		flags = append(flags, "--")
	}
	return append(flags, arguments...)
}

// descend finds the command that args name, and how many of them name it. Commands that have commands of their own are not
// found: their arguments are names of commands.
func descend(commands []*cli.Command, args []string) (leaf *cli.Command, depth int) {
	for depth < len(args) {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[depth]) })
		if i < 0 {
			return nil, 0
		}
		depth++
		if len(commands[i].Subcommands) == 0 {
			return commands[i], depth
		}
		commands = commands[i].Subcommands
	}
	return nil, 0
}

// takesNext says whether a flag's value is the next argument.
func takesNext(command *cli.Command, arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			valued, ok := f.(cli.DocGenerationFlag)
			return ok && valued.TakesValue()
		}
	}
	return false
}
