package main

import (
	"context"
	"log"
	"os"

	"github.com/dapr/components-contrib/nameresolution/kubernetes"
	secrets "github.com/dapr/components-contrib/secretstores/kubernetes"
	"github.com/dapr/components-contrib/state/redis"
	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
)

var daprdLog = logger.NewLogger("dapr.runtime")

// Dapr's own main brings every component there is, which is a compile of half an hour: these are those of the walkthrough.
func components() *registry.Options {
	state.DefaultRegistry.Logger = daprdLog
	state.DefaultRegistry.RegisterComponent(redis.NewRedisStateStore, "redis")
	secretstores.DefaultRegistry.Logger = daprdLog
	secretstores.DefaultRegistry.RegisterComponent(secrets.NewKubernetesSecretStore, "kubernetes")
	nameresolution.DefaultRegistry.Logger = daprdLog
	nameresolution.DefaultRegistry.RegisterComponent(kubernetes.NewResolver, "kubernetes")
	return registry.NewOptions().
		WithStateStores(state.DefaultRegistry).
		WithSecretStores(secretstores.DefaultRegistry).
		WithNameResolutions(nameresolution.DefaultRegistry)
}

func daprd() {
	flags, err := options.New(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	flags.Logger.SetAppID(flags.AppID)
	if err := logger.ApplyOptionsToLoggers(&flags.Logger); err != nil {
		log.Fatal(err)
	}
	ctx := signals.Context()
	health := healthz.New()
	provider, err := security.New(ctx, security.Options{
		Mode:                    modes.DaprMode(flags.Mode),
		AppID:                   flags.AppID,
		MTLSEnabled:             flags.EnableMTLS,
		SentryAddress:           flags.SentryAddress,
		TrustAnchors:            flags.TrustAnchors,
		ControlPlaneNamespace:   flags.ControlPlaneNamespace,
		ControlPlaneTrustDomain: flags.ControlPlaneTrustDomain,
		Healthz:                 health,
	})
	if err != nil {
		log.Fatal(err)
	}
	serve := func(ctx context.Context) error {
		handler, err := provider.Handler(ctx)
		if err != nil {
			return err
		}
		app, err := runtime.FromConfig(ctx, config(flags, handler, health))
		if err != nil {
			return err
		}
		return app.Run(ctx)
	}
	if err := concurrency.NewRunnerManager(provider.Run, serve).Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// What the flags say, for the parts of the runtime that the injector's flags speak of.
func config(flags *options.Options, handler security.Handler, health healthz.Healthz) *runtime.Config {
	return &runtime.Config{
		AppID:                         flags.AppID,
		AppProtocol:                   flags.AppProtocol,
		ApplicationPort:               flags.AppPort,
		AppMaxConcurrency:             flags.AppMaxConcurrency,
		AppSSL:                        flags.AppSSL,
		AppChannelAddress:             flags.AppChannelAddress,
		EnableAppHealthCheck:          flags.EnableAppHealthCheck,
		AppHealthCheckPath:            flags.AppHealthCheckPath,
		AppHealthProbeInterval:        flags.AppHealthProbeInterval,
		AppHealthProbeTimeout:         flags.AppHealthProbeTimeout,
		AppHealthThreshold:            flags.AppHealthThreshold,
		DaprHTTPPort:                  flags.DaprHTTPPort,
		DaprAPIGRPCPort:               flags.DaprAPIGRPCPort,
		DaprAPIListenAddresses:        flags.DaprAPIListenAddresses,
		DaprInternalGRPCPort:          flags.DaprInternalGRPCPort,
		DaprInternalGRPCListenAddress: flags.DaprInternalGRPCListenAddress,
		DaprPublicPort:                flags.DaprPublicPort,
		DaprPublicListenAddress:       flags.DaprPublicListenAddress,
		DaprGracefulShutdownSeconds:   flags.DaprGracefulShutdownSeconds,
		DaprBlockShutdownDuration:     flags.DaprBlockShutdownDuration,
		MaxRequestSize:                flags.MaxRequestSize,
		ReadBufferSize:                flags.ReadBufferSize,
		ProfilePort:                   flags.ProfilePort,
		EnableProfiling:               flags.EnableProfiling,
		AllowedOrigins:                flags.AllowedOrigins,
		EnableAPILogging:              flags.EnableAPILogging,
		UnixDomainSocket:              flags.UnixDomainSocket,
		Config:                        flags.Config,
		ResourcesPath:                 flags.ResourcesPath,
		DisableBuiltinK8sSecretStore:  flags.DisableBuiltinK8sSecretStore,
		Mode:                          flags.Mode,
		ControlPlaneAddress:           flags.ControlPlaneAddress,
		ActorsService:                 flags.ActorsService,
		RemindersService:              flags.RemindersService,
		SchedulerAddress:              flags.SchedulerAddress,
		SchedulerStreams:              flags.SchedulerJobStreams,
		EnableMTLS:                    flags.EnableMTLS,
		SentryAddress:                 flags.SentryAddress,
		Metrics: metrics.Options{
			Enabled:       flags.Metrics.Enabled(),
			Port:          flags.Metrics.Port(),
			ListenAddress: flags.Metrics.ListenAddress(),
			Namespace:     metrics.DefaultMetricNamespace,
			Log:           daprdLog,
			Healthz:       health,
		},
		Registry: components(),
		Security: handler,
		Healthz:  health,
	}
}
