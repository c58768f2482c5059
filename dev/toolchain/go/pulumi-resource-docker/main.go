// Command pulumi-resource-docker is the Docker provider for machines that
// reach the Go module proxy but not Pulumi's plugin downloads.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

	"kato-load-balancing/dev/toolchain/pulumi-resource-docker/info"
)

//go:embed schema.json
var schema []byte

func main() {
	tfbridge.Main("docker", info.Version, info.Provider(), schema)
}
