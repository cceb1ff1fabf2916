/// The configuration of `meshrouter demo --cluster`: the text of dtabs/cluster.yaml, which a test compares with it.
public enum ClusterQuickstart {
  public static let yaml = """
    # yaml-language-server: $schema=../docs/meshrouter.schema.json
    #
    # The configuration of `meshrouter demo --cluster`. Services are apps of a Marathon cluster; the Host header names one
    # of the group /shop. Only apps that are asked for are read, and the event stream tells what changes.

    admin:
      port: ${MESHROUTER_DEMO_ADMIN_PORT:-9990}

    namers:
      - kind: io.l5d.marathon
        hosts:
          - "${MESHROUTER_DEMO_MARATHON_1:-master-1.mesos:8080}"
          - "${MESHROUTER_DEMO_MARATHON_2:-master-2.mesos:8080}"
          - "${MESHROUTER_DEMO_MARATHON_3:-master-3.mesos:8080}"

    # Dtabs edited through the admin API live as long as the process; kind io.l5d.dir keeps them in a directory.
    dtabStore:
      kind: io.l5d.inMemory

    routers:
      - protocol: http
        label: demo
        dtab: |
          /svc => /#/io.l5d.marathon/shop;
        servers:
          - port: ${MESHROUTER_DEMO_PORT:-4140}

    """
}
