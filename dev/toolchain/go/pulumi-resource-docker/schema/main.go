// Command schema prints the provider's Pulumi schema; the setup embeds it in
// the provider, so that the provider does not compute it at every start.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"

	"kato-load-balancing/dev/toolchain/pulumi-resource-docker/info"
)

func main() {
	sink := diag.DefaultSink(os.Stderr, os.Stderr, diag.FormatOptions{Color: colors.Never})
	spec, err := tfgen.GenerateSchema(info.Provider(), sink)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(spec)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
