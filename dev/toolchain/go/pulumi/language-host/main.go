// Pulumi's Python language host, for machines where only Go modules and PyPI are reachable.
//
// The engine starts it with its own address as the last argument, reads the port from standard
// output and then talks pulumirpc.LanguageRuntime. Only what running programs, policy packs and
// component plugins needs is answered; code generation is left out.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

const (
	maxMessageBytes = 400 << 20
	engineCheck     = 5 * time.Minute
)

func main() {
	if err := serve(engineAddress(os.Args[1:])); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-python:", err)
		os.Exit(1)
	}
}

// engineAddress finds the one argument that is not a flag.
func engineAddress(arguments []string) string {
	for i := len(arguments) - 1; i >= 0; i-- {
		if !strings.HasPrefix(arguments[i], "-") {
			return arguments[i]
		}
	}
	return ""
}

// serve answers until the engine ends this process, or is gone itself.
func serve(engine string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if engine != "" {
		if err := rpcutil.Healthcheck(ctx, engine, engineCheck, stop); err != nil {
			return fmt.Errorf("the engine at %s can't be watched: %w", engine, err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes))
	pulumirpc.RegisterLanguageRuntimeServer(server, &host{engine: engine})
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}
