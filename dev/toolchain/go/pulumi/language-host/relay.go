package main

import (
	"io"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// relay passes a plugin's two streams on as they come, in one order.
type relay struct {
	answers pulumirpc.LanguageRuntime_RunPluginServer
	mutex   sync.Mutex
}

func newRelay(answers pulumirpc.LanguageRuntime_RunPluginServer) *relay {
	return &relay{answers: answers}
}

func (r *relay) stdout() io.Writer {
	return stream(func(data []byte) error {
		return r.send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: data},
		})
	})
}

func (r *relay) stderr() io.Writer {
	return stream(func(data []byte) error {
		return r.send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: data},
		})
	})
}

func (r *relay) exit(code int) error {
	return r.send(&pulumirpc.RunPluginResponse{
		Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)},
	})
}

func (r *relay) send(answer *pulumirpc.RunPluginResponse) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.answers.Send(answer)
}

type stream func([]byte) error

func (s stream) Write(data []byte) (int, error) {
	if err := s(data); err != nil {
		return 0, err
	}
	return len(data), nil
}
