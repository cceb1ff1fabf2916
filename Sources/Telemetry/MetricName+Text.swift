extension MetricName {
  /// The text of docs/metrics.md: `meshrouter schema metrics`.
  public static var markdown: String {
    var text = """
      # Metrics

      The admin server tells the same numbers in three forms: Prometheus, Prometheus with linkerd's names, and JSON. None of
      them has to be switched on.

      | address | form |
      | --- | --- |
      | `/admin/metrics/prometheus` | Prometheus text; `?names=linkerd` gives the names of linkerd 1.x, `?service=/svc/web` and `?family=meshrouter_client` a part |
      | `/admin/metrics.json`, `/admin/metrics` | linkerd's flat JSON; `?tree` nests it, `?q=rt/http` takes a part, `?pretty` is for reading |

      ```yaml
      scrape_configs:
        - job_name: meshrouter
          metrics_path: /admin/metrics/prometheus
          static_configs:
            - targets: ["127.0.0.1:9990"]
      ```

      A scrape is made from memory that the workers write; it takes no lock and interrupts no request. Pages for Prometheus are
      written, and pages without TLS are sent, by a thread that runs only where nothing else wants the processor (`SCHED_IDLE`).
      On a machine without a moment to spare the control thread does it after 20 ms, at ordinary priority.

      - **server** metrics show what callers saw, by listening address.
      - **service** metrics show a logical name such as `/svc/web`, all attempts of a request together.
      - **client** metrics show a bound name such as `/#/io.l5d.fs/web`, each attempt by itself.

      `metrics.maxSeries` of the [configuration](configuration.md) bounds how many services and clients get series of
      their own. What comes later is counted under `other`, and `meshrouter_metrics_overflow_total` tells how often, so
      that a caller who invents Host values costs nothing. `status` is a class such as `2xx`, unless
      `metrics.exactStatus` is set. `reason` is one of the [reason words](errors.md), empty for answers of endpoints.

      Names and labels are a contract, held by a test: new ones may come, none is renamed. A family appears when there
      is something to tell.

      This page is the output of `meshrouter schema metrics`.

      | family | type | labels | meaning |
      | --- | --- | --- | --- |

      """
    for metric in all {
      let labels = metric.labels.map { "`\($0)`" }.joined(separator: " ")
      text += "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |\n"
    }
    return text
  }
}
