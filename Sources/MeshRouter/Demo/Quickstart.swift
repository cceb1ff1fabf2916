/// The configuration of `meshrouter demo`: the text of dtabs/quickstart.yaml, which a test compares with it.
public enum Quickstart {
  public static let yaml = """
    # yaml-language-server: $schema=../docs/meshrouter.schema.json
    #
    # The configuration of `meshrouter demo`. Services are files in a directory, one endpoint a line; the Host header
    # names the service; the dtab can be edited while traffic flows.

    admin:
      port: ${MESHROUTER_DEMO_ADMIN_PORT:-9990}

    namers:
      - kind: io.l5d.fs
        rootDir: ${MESHROUTER_DEMO_DISCO:-disco}

    # Dtabs edited through the admin API live as long as the process; kind io.l5d.dir keeps them in a directory.
    dtabStore:
      kind: io.l5d.inMemory

    routers:
      - protocol: http
        label: demo
        dtab: |
          /svc => /#/io.l5d.fs;
        servers:
          - port: ${MESHROUTER_DEMO_PORT:-4140}

    """
}
