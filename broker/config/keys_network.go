package config

// networkKeys are about listeners and connections.
var networkKeys = section{title: "Listeners and connections", keys: []key{
	{
		"listeners", String, "PLAINTEXT://:9092", anything, High, PerBroker, Acts, "",
		"Comma-separated NAME://host:port on which this broker listens; an empty host is every interface.",
	},
	{
		"advertised.listeners", String, null, anything, High, PerBroker, Acts, "",
		"The addresses that clients and other brokers are told; when unset those of listeners.",
	},
	{
		"listener.security.protocol.map", String, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", anything, Low, PerBroker, Acts, "",
		"Security protocol of each listener name, as comma-separated NAME:PROTOCOL.",
	},
	{
		"inter.broker.listener.name", String, null, anything, Medium, ReadOnly, Acts, "",
		"Listener over which brokers talk to each other; excludes security.inter.broker.protocol.",
	},
	{
		"security.inter.broker.protocol", String, "PLAINTEXT", oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), Medium, ReadOnly, Acts, "",
		"Security protocol between brokers; it also names the listener when inter.broker.listener.name is unset.",
	},
	{
		"control.plane.listener.name", String, null, anything, High, ReadOnly, Acts, "",
		"Listener kept for requests of the controller; when unset they come over the inter-broker listener.",
	},
	{
		"socket.send.buffer.bytes", Int, "102400", anything, High, ReadOnly, Acts, "",
		"SO_SNDBUF of accepted connections in bytes; -1, and the default, leave it to the system.",
	},
	{
		"socket.receive.buffer.bytes", Int, "102400", anything, High, ReadOnly, Acts, "",
		"SO_RCVBUF of accepted connections in bytes; -1, and the default, leave it to the system.",
	},
	{
		"socket.request.max.bytes", Int, "104857600", atLeast(1), High, ReadOnly, Acts, "",
		"Largest request in bytes; a frame that claims more closes its connection.",
	},
	{
		"socket.listen.backlog.size", Int, "50", atLeast(1), Medium, ReadOnly, NoEffect, whyBacklog,
		"Connections that the kernel may hold before they are accepted.",
	},
	{
		"socket.connection.setup.timeout.ms", Long, "10000", anything, Medium, ReadOnly, Acts, "",
		"Milliseconds that a connection to another broker may take to come up, at the first try.",
	},
	{
		"socket.connection.setup.timeout.max.ms", Long, "30000", anything, Medium, ReadOnly, Acts, "",
		"Bound of the setup timeout in milliseconds, which doubles with every failure in a row.",
	},
	{
		"connections.max.idle.ms", Long, "600000", anything, Medium, ReadOnly, Acts, "",
		"Milliseconds after which a connection without requests is closed; negative never.",
	},
	{
		"connection.failed.authentication.delay.ms", Int, "100", atLeast(0), Low, ReadOnly, Later, whySASL,
		"Milliseconds by which the close after a failed authentication is held back.",
	},
	{
		"max.connections", Int, "2147483647", atLeast(0), Medium, ClusterWide, Acts, "",
		"Connections allowed at once, over all listeners. Values of single listeners have no effect yet.",
	},
	{
		"max.connections.per.ip", Int, "2147483647", atLeast(0), Medium, ClusterWide, Acts, "",
		"Connections allowed at once from one address.",
	},
	{
		"max.connections.per.ip.overrides", String, "", anything, Medium, ClusterWide, Acts, "",
		"Exceptions to max.connections.per.ip, as comma-separated address:count.",
	},
	{
		"max.connection.creation.rate", Int, "2147483647", atLeast(0), Medium, ClusterWide, Acts, "",
		"New connections per second, over all listeners. Values of single listeners have no effect yet.",
	},
	{
		"num.network.threads", Int, "3", atLeast(1), High, ClusterWide, NoEffect, whyGoroutines,
		"Size of each listener's pool of socket threads.",
	},
	{
		"num.io.threads", Int, "8", atLeast(1), High, ClusterWide, NoEffect, whyGoroutines,
		"Size of the pool that handles requests.",
	},
	{
		"queued.max.requests", Int, "500", atLeast(1), High, ReadOnly, NoEffect, whyPending,
		"Requests that may wait for a free handler thread.",
	},
	{
		"queued.max.request.bytes", Long, "-1", anything, Medium, ReadOnly, Acts, "",
		"Bytes of requests in flight at which no more are read from any connection; -1 a quarter of the memory.",
	},
	{
		"inter.broker.protocol.version", String, "3.9-IV0", version, Medium, ReadOnly, NoEffect, whyVersion,
		"Version that brokers speak among themselves during a rolling upgrade.",
	},
}}
