// Package info maps the upstream Docker provider to the resource tokens and
// property names of the published pulumi_docker SDK (5.x).
package info

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// Version is the provider version announced to the engine; the setup passes
// the version of the pulumi_docker SDK with -ldflags -X.
var Version = "0.0.0"

// Provider describes the bridged provider.
func Provider() tfbridge.ProviderInfo {
	p := tfbridge.ProviderInfo{
		P:              shimv2.NewProvider(shim.NewProvider(Version)),
		Name:           "docker",
		Version:        Version,
		MetadataInfo:   tfbridge.NewProviderMetadata([]byte("{}")),
		IgnoreMappings: []string{"docker_compose"},
		Resources: map[string]*tfbridge.ResourceInfo{
			// The SDK names these two apart from the classes of its own.
			"docker_image":  {Tok: "docker:index/remoteImage:RemoteImage"},
			"docker_config": {Tok: "docker:index/serviceConfig:ServiceConfig"},
			// Lists that the bridge would otherwise pluralise.
			"docker_container": {Fields: map[string]*tfbridge.SchemaInfo{
				"command":           {Name: "command"},
				"networks_advanced": {Name: "networksAdvanced"},
			}},
		},
	}
	p.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard("docker")))
	p.SetAutonaming(255, "-")
	return p
}
