extension KeyTables {
  static let kubernetesNamers = [
    namerKind(
      "io.l5d.k8s", Configuration.Namer.Kubernetes(), "Services of a Kubernetes cluster, by namespace, port and name.",
      kubernetesKeys, wrap: { .kubernetes($0) },
      unwrap: { kind in
        if case .kubernetes(let kubernetes) = kind { kubernetes } else { nil }
      }),
    namerKind(
      "io.l5d.k8s.ns", Configuration.Namer.Kubernetes(),
      "Services of one namespace of a Kubernetes cluster, by port and name.",
      kubernetesKeys + [
        Key("envVar", \.details.envVar, .text("name"), "The environment variable that names the namespace.")
      ], wrap: { .kubernetesNamespace($0) },
      unwrap: { kind in
        if case .kubernetesNamespace(let kubernetes) = kind { kubernetes } else { nil }
      }),
    namerKind(
      "io.l5d.k8s.external", Configuration.Namer.Kubernetes(),
      "Load balancers of the services of a Kubernetes cluster, for callers outside of it.", kubernetesKeys,
      wrap: { .kubernetesExternal($0) },
      unwrap: { kind in
        if case .kubernetesExternal(let kubernetes) = kind { kubernetes } else { nil }
      }),
  ]

  private static let kubernetesKeys: [Key<NamerFields<Configuration.Namer.Kubernetes>>] = [
    Key("host", \.details.host, .host, "The API server, or `kubectl proxy` on this host."),
    Key("port", \.details.port, .port, "Its port."),
    Key(
      "labelSelector", \.details.labelSelector, .optional(.text("label")),
      "A label that services must have; its value is then the last element of a name."),
    Key(
      "auth", \.details.auth, .optional(clusterAuth.codec), origin: .ours, defaultNote: "none",
      "Who we are; in a cluster `tokenFile` is `/var/run/secrets/kubernetes.io/serviceaccount/token`."),
    Key(
      "tls", \.details.tls, .optional(clusterTLS.codec), origin: .ours, defaultNote: "none",
      "How to speak TLS with it; in a cluster `trustCertsBundle` is `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`."
    ),
  ]
}
