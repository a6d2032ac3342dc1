package config

// securityKeys are about TLS, SASL, delegation tokens and authorization.
var securityKeys = section{title: "Security", keys: []key{
	{
		"authorizer.class.name", String, "", nonNull, Low, ReadOnly, Refused, whyACL,
		"Java class that decides who may do what; empty allows everything.",
	},
	{
		"password.encoder.secret", Password, null, anything, Medium, ReadOnly, Later, whyTLS,
		"Secret with which passwords set at run time are encrypted in ZooKeeper.",
	},
	{
		"password.encoder.old.secret", Password, null, anything, Medium, ReadOnly, Later, whyTLS,
		"The secret before, needed once after a change to encrypt anew.",
	},
	{
		"password.encoder.keyfactory.algorithm", String, null, anything, Low, ReadOnly, Later, whyTLS,
		"Java name of the key derivation for stored passwords.",
	},
	{
		"password.encoder.cipher.algorithm", String, "AES/CBC/PKCS5Padding", anything, Low, ReadOnly, Later, whyTLS,
		"Java name of the cipher for stored passwords.",
	},
	{
		"password.encoder.key.length", Int, "128", atLeast(8), Low, ReadOnly, Later, whyTLS,
		"Bits of the key for stored passwords.",
	},
	{
		"password.encoder.iterations", Int, "4096", atLeast(1024), Low, ReadOnly, Later, whyTLS,
		"Rounds of the key derivation for stored passwords.",
	},
	{
		"delegation.token.master.key", Password, null, anything, Medium, ReadOnly, Later, whySASL,
		"Older name of delegation.token.secret.key; deprecated.",
	},
	{
		"delegation.token.secret.key", Password, null, anything, Medium, ReadOnly, Later, whySASL,
		"Secret with which delegation tokens are signed, the same on every broker; unset turns them off.",
	},
	{
		"delegation.token.max.lifetime.ms", Long, "604800000", atLeast(1), Medium, ReadOnly, Later, whySASL,
		"Milliseconds after which a delegation token cannot be renewed any more.",
	},
	{
		"delegation.token.expiry.time.ms", Long, "86400000", atLeast(1), Medium, ReadOnly, Later, whySASL,
		"Milliseconds that a delegation token lives between renewals.",
	},
	{
		"delegation.token.expiry.check.interval.ms", Long, "3600000", atLeast(1), Low, ReadOnly, Later, whySASL,
		"Milliseconds between two looks for expired delegation tokens.",
	},
	{
		"principal.builder.class", Class, "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", anything, Medium, PerBroker, NoEffect, whyPrincipal,
		"Java class that makes a principal of an authenticated connection.",
	},
	{
		"security.providers", String, null, anything, Low, ReadOnly, NoEffect, whyJava,
		"Java classes of further security providers.",
	},
	{
		"connections.max.reauth.ms", Long, "0", anything, Medium, ReadOnly, Later, whySASL,
		"Milliseconds after which a SASL client must authenticate again; 0 never.",
	},
	{
		"sasl.enabled.mechanisms", List, "GSSAPI", anything, Medium, PerBroker, Later, whySASL,
		"SASL mechanisms offered to clients.",
	},
	{
		"sasl.mechanism.inter.broker.protocol", String, "GSSAPI", anything, Medium, PerBroker, Later, whySASL,
		"SASL mechanism between brokers.",
	},
	{
		"sasl.jaas.config", Password, null, anything, Medium, PerBroker, Later, whySASL,
		"Login settings in JAAS form; given per listener and mechanism.",
	},
	{
		"sasl.server.max.receive.size", Int, "524288", anything, Medium, ReadOnly, Later, whySASL,
		"Largest SASL message in bytes taken before a client is authenticated.",
	},
	{
		"sasl.server.callback.handler.class", Class, null, anything, Medium, ReadOnly, NoEffect, whyJava,
		"Java class that answers the server's SASL callbacks.",
	},
	{
		"sasl.client.callback.handler.class", Class, null, anything, Medium, ReadOnly, NoEffect, whyJava,
		"Java class that answers the client's SASL callbacks.",
	},
	{
		"sasl.login.callback.handler.class", Class, null, anything, Medium, ReadOnly, NoEffect, whyJava,
		"Java class that answers the login callbacks.",
	},
	{
		"sasl.login.class", Class, null, anything, Medium, ReadOnly, NoEffect, whyJava,
		"Java class that does the login.",
	},
	{
		"sasl.login.connect.timeout.ms", Int, null, anything, Low, ReadOnly, Later, whyOAuth,
		"Milliseconds to connect to the identity provider.",
	},
	{
		"sasl.login.read.timeout.ms", Int, null, anything, Low, ReadOnly, Later, whyOAuth,
		"Milliseconds to read from the identity provider.",
	},
	{
		"sasl.login.retry.backoff.ms", Long, "100", anything, Low, ReadOnly, Later, whyOAuth,
		"First pause in milliseconds between tries at the identity provider.",
	},
	{
		"sasl.login.retry.backoff.max.ms", Long, "10000", anything, Low, ReadOnly, Later, whyOAuth,
		"Longest pause in milliseconds between tries at the identity provider.",
	},
	{
		"sasl.login.refresh.window.factor", Double, "0.8", anything, Medium, PerBroker, Later, whyOAuth,
		"Share of a token's life after which it is refreshed.",
	},
	{
		"sasl.login.refresh.window.jitter", Double, "0.05", anything, Medium, PerBroker, Later, whyOAuth,
		"Random share of a token's life added before the refresh.",
	},
	{
		"sasl.login.refresh.min.period.seconds", Short, "60", anything, Medium, PerBroker, Later, whyOAuth,
		"Least seconds before a token is refreshed.",
	},
	{
		"sasl.login.refresh.buffer.seconds", Short, "300", anything, Medium, PerBroker, Later, whyOAuth,
		"Seconds before its end by which a token is refreshed.",
	},
	{
		"sasl.kerberos.service.name", String, null, anything, Medium, PerBroker, Later, whyKerberos,
		"Kerberos service under which brokers run.",
	},
	{
		"sasl.kerberos.kinit.cmd", String, "/usr/bin/kinit", anything, Medium, PerBroker, NoEffect, whyJava,
		"Path of kinit for the Java login thread.",
	},
	{
		"sasl.kerberos.ticket.renew.window.factor", Double, "0.8", anything, Medium, PerBroker, NoEffect, whyJava,
		"Share of a ticket's life after which the Java login thread renews it.",
	},
	{
		"sasl.kerberos.ticket.renew.jitter", Double, "0.05", anything, Medium, PerBroker, NoEffect, whyJava,
		"Random share added to that time.",
	},
	{
		"sasl.kerberos.min.time.before.relogin", Long, "60000", anything, Medium, PerBroker, NoEffect, whyJava,
		"Milliseconds that the Java login thread sleeps between renewals.",
	},
	{
		"sasl.kerberos.principal.to.local.rules", List, "DEFAULT", anything, Medium, PerBroker, Later, whyKerberos,
		"Rules that turn Kerberos principals into user names.",
	},
	{
		"sasl.oauthbearer.clock.skew.seconds", Int, "30", anything, Low, ReadOnly, Later, whyOAuth,
		"Seconds by which the identity provider's clock may differ.",
	},
	{
		"sasl.oauthbearer.expected.audience", List, null, anything, Low, ReadOnly, Later, whyOAuth,
		"Audiences of which a token must name one.",
	},
	{
		"sasl.oauthbearer.expected.issuer", String, null, anything, Low, ReadOnly, Later, whyOAuth,
		"Issuer that a token must name.",
	},
	{
		"sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, "3600000", anything, Low, ReadOnly, Later, whyOAuth,
		"Milliseconds between two readings of the provider's keys.",
	},
	{
		"sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, "100", anything, Low, ReadOnly, Later, whyOAuth,
		"First pause in milliseconds between tries to read the provider's keys.",
	},
	{
		"sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, "10000", anything, Low, ReadOnly, Later, whyOAuth,
		"Longest pause in milliseconds between tries to read the provider's keys.",
	},
	{
		"sasl.oauthbearer.jwks.endpoint.url", String, null, anything, Medium, ReadOnly, Later, whyOAuth,
		"Where the provider's keys are read.",
	},
	{
		"sasl.oauthbearer.scope.claim.name", String, "scope", anything, Low, ReadOnly, Later, whyOAuth,
		"Claim of a token that holds its scope.",
	},
	{
		"sasl.oauthbearer.sub.claim.name", String, "sub", anything, Low, ReadOnly, Later, whyOAuth,
		"Claim of a token that holds its subject.",
	},
	{
		"sasl.oauthbearer.token.endpoint.url", String, null, anything, Medium, ReadOnly, Later, whyOAuth,
		"Where tokens are asked for.",
	},
	{
		"ssl.client.auth", String, "none", oneOf("required", "requested", "none"), Medium, PerBroker, Later, whyTLS,
		"Whether clients must (required), may (requested) or need not (none) show a certificate.",
	},
	{
		"ssl.enabled.protocols", List, "TLSv1.2,TLSv1.3", anything, Medium, PerBroker, Later, whyTLS,
		"TLS versions allowed.",
	},
	{
		"ssl.protocol", String, "TLSv1.3", anything, Medium, PerBroker, Later, whyTLS,
		"TLS version to begin with.",
	},
	{
		"ssl.cipher.suites", List, "", anything, Medium, PerBroker, Later, whyTLS,
		"Cipher suites allowed; empty is the library's choice.",
	},
	{
		"ssl.keystore.location", String, null, anything, Medium, PerBroker, Later, whyTLS,
		"File with this broker's certificate and key.",
	},
	{
		"ssl.keystore.password", Password, null, anything, Medium, PerBroker, Later, whyTLS,
		"Password of the key store.",
	},
	{
		"ssl.keystore.type", String, "JKS", anything, Medium, PerBroker, Later, whyTLS,
		"Format of the key store: JKS, PKCS12 or PEM.",
	},
	{
		"ssl.keystore.key", Password, null, anything, Medium, PerBroker, Later, whyTLS,
		"Private key in PEM form, instead of a file.",
	},
	{
		"ssl.keystore.certificate.chain", Password, null, anything, Medium, PerBroker, Later, whyTLS,
		"Certificate chain in PEM form, instead of a file.",
	},
	{
		"ssl.key.password", Password, null, anything, Medium, PerBroker, Later, whyTLS,
		"Password of the private key in the key store.",
	},
	{
		"ssl.truststore.location", String, null, anything, Medium, PerBroker, Later, whyTLS,
		"File with the certificates of the trusted authorities.",
	},
	{
		"ssl.truststore.password", Password, null, anything, Medium, PerBroker, Later, whyTLS,
		"Password of the trust store.",
	},
	{
		"ssl.truststore.type", String, "JKS", anything, Medium, PerBroker, Later, whyTLS,
		"Format of the trust store: JKS, PKCS12 or PEM.",
	},
	{
		"ssl.truststore.certificates", Password, null, anything, Medium, PerBroker, Later, whyTLS,
		"Certificates of the trusted authorities in PEM form, instead of a file.",
	},
	{
		"ssl.endpoint.identification.algorithm", String, "https", anything, Low, PerBroker, Later, whyTLS,
		"How host names in certificates are checked; empty turns the check off.",
	},
	{
		"ssl.principal.mapping.rules", String, "DEFAULT", anything, Low, ReadOnly, Later, whyTLS,
		"Rules that turn the name in a client's certificate into a user name.",
	},
	{
		"ssl.allow.dn.changes", Boolean, "false", anything, Low, ReadOnly, Later, whyTLS,
		"Lets a key store be replaced at run time by one of another name.",
	},
	{
		"ssl.allow.san.changes", Boolean, "false", anything, Low, ReadOnly, Later, whyTLS,
		"Lets a key store be replaced at run time by one of other alternative names.",
	},
	{
		"ssl.engine.factory.class", Class, null, anything, Low, PerBroker, NoEffect, whyJava,
		"Java class that makes TLS engines.",
	},
	{
		"ssl.keymanager.algorithm", String, "SunX509", anything, Medium, PerBroker, NoEffect, whyJava,
		"Java name of the key manager.",
	},
	{
		"ssl.trustmanager.algorithm", String, "PKIX", anything, Medium, PerBroker, NoEffect, whyJava,
		"Java name of the trust manager.",
	},
	{
		"ssl.provider", String, null, anything, Medium, PerBroker, NoEffect, whyJava,
		"Java name of the TLS provider.",
	},
	{
		"ssl.secure.random.implementation", String, null, anything, Low, PerBroker, NoEffect, whyJava,
		"Java name of the random number generator.",
	},
}}
