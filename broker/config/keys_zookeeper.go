package config

// zookeeperKeys are about the way to ZooKeeper.
var zookeeperKeys = section{title: "ZooKeeper", keys: []key{
	{
		"zookeeper.connect", String, null, anything, High, ReadOnly, Acts, "",
		"Comma-separated host:port of the ensemble, with an optional /chroot at the end.",
	},
	{
		"zookeeper.session.timeout.ms", Int, "18000", anything, High, ReadOnly, Acts, "",
		"Milliseconds without contact after which ZooKeeper ends this broker's session.",
	},
	{
		"zookeeper.connection.timeout.ms", Int, null, anything, High, ReadOnly, Acts, "",
		"Milliseconds to wait for ZooKeeper at start; when unset the session timeout.",
	},
	{
		"zookeeper.max.in.flight.requests", Int, "10", atLeast(1), High, ReadOnly, Acts, "",
		"Requests to ZooKeeper that may be under way at once.",
	},
	{
		"zookeeper.set.acl", Boolean, "false", anything, High, ReadOnly, Refused, whyZooACL,
		"Writes znodes that only their creator may change.",
	},
	{
		"zookeeper.metadata.migration.enable", Boolean, "false", anything, High, ReadOnly, Refused, whyMigration,
		"Starts the migration of the cluster's metadata to KRaft.",
	},
	{
		"zookeeper.clientCnxnSocket", String, null, anything, Medium, ReadOnly, NoEffect, whyZooTLS,
		"Java class of the ZooKeeper client's socket, used with TLS.",
	},
	{
		"zookeeper.ssl.client.enable", Boolean, "false", anything, Medium, ReadOnly, Refused, whyZooTLS,
		"Connects to ZooKeeper over TLS.",
	},
	{
		"zookeeper.ssl.keystore.location", String, null, anything, Medium, ReadOnly, Later, whyZooTLS,
		"File with this broker's certificate and key for ZooKeeper.",
	},
	{
		"zookeeper.ssl.keystore.password", Password, null, anything, Medium, ReadOnly, Later, whyZooTLS,
		"Password of the key store for ZooKeeper.",
	},
	{
		"zookeeper.ssl.keystore.type", String, null, anything, Medium, ReadOnly, Later, whyZooTLS,
		"Format of the key store for ZooKeeper.",
	},
	{
		"zookeeper.ssl.truststore.location", String, null, anything, Medium, ReadOnly, Later, whyZooTLS,
		"File with the certificates of the authorities trusted for ZooKeeper.",
	},
	{
		"zookeeper.ssl.truststore.password", Password, null, anything, Medium, ReadOnly, Later, whyZooTLS,
		"Password of the trust store for ZooKeeper.",
	},
	{
		"zookeeper.ssl.truststore.type", String, null, anything, Medium, ReadOnly, Later, whyZooTLS,
		"Format of the trust store for ZooKeeper.",
	},
	{
		"zookeeper.ssl.protocol", String, "TLSv1.2", anything, Low, ReadOnly, Later, whyZooTLS,
		"TLS version to begin with towards ZooKeeper.",
	},
	{
		"zookeeper.ssl.enabled.protocols", List, null, anything, Low, ReadOnly, Later, whyZooTLS,
		"TLS versions allowed towards ZooKeeper.",
	},
	{
		"zookeeper.ssl.cipher.suites", List, null, anything, Low, ReadOnly, Later, whyZooTLS,
		"Cipher suites allowed towards ZooKeeper.",
	},
	{
		"zookeeper.ssl.endpoint.identification.algorithm", String, "HTTPS", anything, Low, ReadOnly, Later, whyZooTLS,
		"How the host name in ZooKeeper's certificate is checked; empty turns the check off.",
	},
	{
		"zookeeper.ssl.crl.enable", Boolean, "false", anything, Low, ReadOnly, Later, whyZooTLS,
		"Checks ZooKeeper's certificate against revocation lists.",
	},
	{
		"zookeeper.ssl.ocsp.enable", Boolean, "false", anything, Low, ReadOnly, Later, whyZooTLS,
		"Checks ZooKeeper's certificate with OCSP.",
	},
}}
