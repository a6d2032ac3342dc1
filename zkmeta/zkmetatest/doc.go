// Package zkmetatest is the suite that zkmeta must pass on the embedded ZooKeeper server and on a real one.
//
// Its clients reach the server through a Proxy each, which can cut a connection before a request or instead of its
// answer, hold everything up, and expire the session as the server would.
package zkmetatest
