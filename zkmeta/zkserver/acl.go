package zkserver

import (
	"crypto/sha1"
	"encoding/base64"
	"net"
	"slices"
	"strconv"
	"strings"
)

// acl is one entry of an access list.
type acl struct {
	perms      int32
	scheme, id string
}

const (
	permRead = 1
	permAll  = 31
)

func openACL() []acl { return []acl{{perms: permAll, scheme: "world", id: "anyone"}} }

// identity is who a connection says it is.
type identity struct{ scheme, id string }

// identify turns an auth packet into an identity. A digest is kept as the hash that access
// lists name (DigestAuthenticationProvider).
func identify(scheme string, auth []byte) identity {
	if scheme != "digest" {
		return identity{scheme, string(auth)}
	}
	user, _, _ := strings.Cut(string(auth), ":")
	sum := sha1.Sum(auth)
	return identity{scheme, user + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// checkACL refuses an access list as ZooKeeper does (PrepRequestProcessor.fixupACL), drops
// duplicates and replaces "auth" by the identities of the connection.
func checkACL(list []acl, who []identity) ([]acl, code) {
	var checked []acl
	for i, a := range list {
		if slices.Contains(list[:i], a) {
			continue
		}
		switch {
		case a.scheme == "world" && a.id == "anyone":
			checked = append(checked, a)
		case a.scheme == "auth":
			if len(who) == 0 {
				return nil, errInvalidACL
			}
			for _, w := range who {
				checked = append(checked, acl{perms: a.perms, scheme: w.scheme, id: w.id})
			}
		case validID(a.scheme, a.id):
			checked = append(checked, a)
		default:
			return nil, errInvalidACL
		}
	}
	if len(checked) == 0 {
		return nil, errInvalidACL
	}
	return checked, ok
}

func validID(scheme, id string) bool {
	switch scheme {
	case "digest":
		return strings.Count(id, ":") == 1
	case "ip":
		address, bits, masked := strings.Cut(id, "/")
		ip := net.ParseIP(address)
		if ip == nil || !masked {
			return ip != nil
		}
		n, err := strconv.Atoi(bits)
		return err == nil && n >= 0 && (n <= 32 || n <= 128 && ip.To4() == nil)
	case "sasl", "x509":
		return id != ""
	default:
		return false
	}
}
