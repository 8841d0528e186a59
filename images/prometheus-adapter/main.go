// prometheus-adapter with rules for custom metrics only, which is all that the chart asks for.
//
// Upstream's own main also serves resource and external metrics, with API definitions that were generated from
// Kubernetes' libraries of 2024; without them its packages compile with the libraries of the cluster's own version.
package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/logs"
	"k8s.io/klog/v2"
	base "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	prom "sigs.k8s.io/prometheus-adapter/pkg/client"
	"sigs.k8s.io/prometheus-adapter/pkg/client/metrics"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
	provider "sigs.k8s.io/prometheus-adapter/pkg/custom-provider"
	"sigs.k8s.io/prometheus-adapter/pkg/naming"
)

// The flags of the same names as upstream's, beside those of every API server.
type adapter struct {
	base.AdapterBase

	prometheus *url.URL
	config     string
	relist     time.Duration
	maxAge     time.Duration
}

func main() {
	logs.InitLogs()
	defer logs.FlushLogs()
	if err := run(genericapiserver.SetupSignalContext()); err != nil {
		klog.Fatal(err)
	}
}

func run(ctx context.Context) error {
	var server adapter
	server.Name = "prometheus-metrics-adapter"
	if err := server.parse(os.Args); err != nil {
		return err
	}
	if err := server.serve(ctx.Done()); err != nil {
		return err
	}
	return server.Run(ctx)
}

func (server *adapter) parse(args []string) error {
	var address string
	flags := server.Flags()
	flags.StringVar(&address, "prometheus-url", "https://localhost", "where Prometheus answers")
	flags.StringVar(&server.config, "config", "", "the file with the rules")
	flags.DurationVar(&server.relist, "metrics-relist-interval", 10*time.Minute, "how often to ask which series there are")
	flags.DurationVar(&server.maxAge, "metrics-max-age", 0, "how long ago a series was last seen, at most (default: the interval)")
	logs.AddFlags(flags)
	err := flags.Parse(args)
	if err != nil {
		return err
	}
	if server.maxAge == 0 {
		server.maxAge = server.relist
	}
	server.prometheus, err = url.Parse(address)
	return err
}

func (server *adapter) serve(stop <-chan struct{}) error {
	rules, err := config.FromFile(server.config)
	if err != nil {
		return err
	}
	mapper, err := server.RESTMapper()
	if err != nil {
		return err
	}
	client, err := server.DynamicClient()
	if err != nil {
		return err
	}
	namers, err := naming.NamersFromConfig(rules.Rules, mapper)
	if err != nil {
		return err
	}
	asked := prom.NewGenericAPIClient(http.DefaultClient, server.prometheus, nil)
	api := metrics.InstrumentGenericAPIClient(untilDeadline{asked}, server.prometheus.String())
	custom, runner := provider.NewPrometheusProvider(
		mapper, client, prom.NewClientForAPI(api, http.MethodGet), namers, server.relist, server.maxAge,
	)
	runner.RunUntil(stop)
	server.WithCustomMetrics(custom)
	return nil
}

// untilDeadline asks Prometheus without a timeout of its own; the request ends at the context's deadline all the same.
//
// prometheus-adapter 0.12.0 gives the time since the deadline, which is negative, as the timeout. Its text was empty
// once, as prometheus/common wrote no negative durations; today it is "-59s996ms", and Prometheus refuses the query.
type untilDeadline struct {
	prom.GenericAPIClient
}

func (client untilDeadline) Do(ctx context.Context, verb, endpoint string, query url.Values) (prom.APIResponse, error) {
	query.Del("timeout")
	return client.GenericAPIClient.Do(ctx, verb, endpoint, query)
}
