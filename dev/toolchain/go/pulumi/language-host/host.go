package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	launcher = "pulumi-language-python-exec"
	// bailExitCode is the SDK's exit code for "the error was already shown".
	bailExitCode = 32
)

// packagesScript lists the resource packages of an environment, as their own files state them.
const packagesScript = `
import importlib.metadata as m, json
found = []
for d in m.distributions():
    for f in d.files or ():
        if f.name == "pulumi-plugin.json":
            plugin = json.loads(f.locate().read_text())
            if plugin.get("resource"):
                version = plugin.get("version") or d.version
                server = plugin.get("server", "")
                found.append({"name": plugin.get("name"), "version": version, "server": server})
print(json.dumps(found))
`

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine string
}

func (h *host) Handshake(
	_ context.Context, request *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	if request.GetEngineAddress() != "" {
		h.engine = request.GetEngineAddress()
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

func (h *host) About(
	ctx context.Context, request *pulumirpc.AboutRequest,
) (*pulumirpc.AboutResponse, error) {
	python := interpreter(request.GetInfo())
	said, err := exec.CommandContext(ctx, python, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", python, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(said)), "Python ")
	return &pulumirpc.AboutResponse{Executable: python, Version: version}, nil
}

func (h *host) GetProgramDependencies(
	context.Context, *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	return &pulumirpc.GetProgramDependenciesResponse{}, nil
}

func (h *host) InstallDependencies(
	_ *pulumirpc.InstallDependenciesRequest,
	answers pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	text := []byte("Dependencies are installed by 'make setup'.\n")
	return answers.Send(&pulumirpc.InstallDependenciesResponse{Stdout: text})
}

func (h *host) GetRequiredPackages(
	ctx context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	python := interpreter(request.GetInfo())
	said, err := exec.CommandContext(ctx, python, "-c", packagesScript).Output()
	if err != nil {
		return nil, fmt.Errorf("%s can't list its packages: %w", python, err)
	}
	var found []struct{ Name, Version, Server string }
	if err := json.Unmarshal(said, &found); err != nil {
		return nil, fmt.Errorf("the packages of %s: %w", python, err)
	}
	answer := &pulumirpc.GetRequiredPackagesResponse{}
	for _, one := range found {
		answer.Packages = append(answer.Packages, &pulumirpc.PackageDependency{
			Name:    one.Name,
			Kind:    "resource",
			Version: "v" + strings.TrimPrefix(one.Version, "v"),
			Server:  one.Server,
		})
	}
	return answer, nil
}

// Run starts the program; it writes to this process' own streams, which the engine relays.
func (h *host) Run(
	ctx context.Context, request *pulumirpc.RunRequest,
) (*pulumirpc.RunResponse, error) {
	script, err := exec.LookPath(launcher)
	if err != nil {
		return &pulumirpc.RunResponse{Error: launcher + " is not on PATH"}, nil
	}
	// The SDK takes no null: an empty configuration is {}.
	settings := map[string]string{}
	maps.Copy(settings, request.GetConfig())
	config, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	info := request.GetInfo()
	arguments := []string{
		"-u", script,
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.engine,
		"--project", request.GetProject(),
		"--root_directory", info.GetRootDirectory(),
		"--stack", request.GetStack(),
		"--pwd", request.GetPwd(),
		"--dry_run", strconv.FormatBool(request.GetDryRun()),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
		"--organization", request.GetOrganization(),
		program(info),
	}
	command := terminated(ctx, interpreter(info), append(arguments, request.GetArgs()...)...)
	command.Env = append(
		os.Environ(),
		"PULUMI_CONFIG="+string(config),
		"PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys),
	)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	switch code, err := exitCode(command.Run()); {
	case err != nil:
		return nil, err
	case code == bailExitCode:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case code != 0:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("Program exited with code %d", code)}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

// RunPlugin starts a policy pack or a component plugin, and ends it with the call.
func (h *host) RunPlugin(
	request *pulumirpc.RunPluginRequest, answers pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	directory := request.GetInfo().GetProgramDirectory()
	arguments, workingDirectory := []string{"-u"}, request.GetPwd()
	if request.GetKind() == "analyzer" {
		arguments = append(append(arguments, "-m", "pulumi.policy"), request.GetArgs()...)
		arguments = append(arguments, directory)
		workingDirectory = directory
	} else {
		arguments = append(append(arguments, directory), request.GetArgs()...)
	}
	command := terminated(answers.Context(), interpreter(request.GetInfo()), arguments...)
	command.Dir = workingDirectory
	if len(request.GetEnv()) > 0 {
		command.Env = request.GetEnv()
	}
	relay := newRelay(answers)
	command.Stdout, command.Stderr = relay.stdout(), relay.stderr()
	code, err := exitCode(command.Run())
	if err != nil {
		return err
	}
	return relay.exit(code)
}

// terminated is a command that gets SIGTERM, not SIGKILL, when the call ends.
func terminated(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command
}

// exitCode is the code of a process that ended by itself, or minus the signal that ended it.
func exitCode(err error) (int, error) {
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return 0, err
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal()), nil
	}
	return ended.ExitCode(), nil
}

// program is the program's folder, or the entry point when the project names one.
func program(info *pulumirpc.ProgramInfo) string {
	if entry := info.GetEntryPoint(); entry != "" && entry != "." {
		return filepath.Join(info.GetProgramDirectory(), entry)
	}
	return info.GetProgramDirectory()
}

// interpreter is that of the virtualenv that the project names, else the one on PATH.
func interpreter(info *pulumirpc.ProgramInfo) string {
	name := info.GetOptions().GetFields()["virtualenv"].GetStringValue()
	if name == "" {
		return "python3"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(info.GetRootDirectory(), name)
	}
	return filepath.Join(name, "bin", "python")
}
