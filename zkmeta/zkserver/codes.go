package zkserver

// Operations, as numbered in ZooDefs.java.
const (
	opCreate          = 1
	opDelete          = 2
	opExists          = 3
	opGetData         = 4
	opSetData         = 5
	opGetACL          = 6
	opSetACL          = 7
	opGetChildren     = 8
	opSync            = 9
	opPing            = 11
	opGetChildren2    = 12
	opCheck           = 13
	opMulti           = 14
	opCreate2         = 15
	opReconfig        = 16
	opCheckWatches    = 17
	opRemoveWatches   = 18
	opCreateContainer = 19
	opCreateTTL       = 21
	opMultiRead       = 22
	opAuth            = 100
	opSetWatches      = 101
	opGetEphemerals   = 103
	opCountChildren   = 104 // getAllChildrenNumber
	opSetWatches2     = 105
	opAddWatch        = 106
	opWhoAmI          = 107
	opCreateSession   = -10
	opCloseSession    = -11
	opError           = -1
)

// code is the outcome of an operation, as numbered in KeeperException.java. It is a
// number, not an error: zero is success.
type code int32

const (
	ok                        code = 0
	errRuntimeInconsistency   code = -2
	errMarshalling            code = -5
	errUnimplemented          code = -6
	errBadArguments           code = -8
	errNoNode                 code = -101
	errBadVersion             code = -103
	errNoChildrenForEphemeral code = -108
	errNodeExists             code = -110
	errNotEmpty               code = -111
	errInvalidACL             code = -114
	errNoWatcher              code = -121
)

// Flags of a create, as numbered in CreateMode.java.
const (
	flagEphemeral  = 1
	flagSequential = 2
	flagContainer  = 4
	flagTTL        = 5
	flagTTLSeq     = 6
)

// eventType of a watch event, as numbered in Watcher.java.
type eventType int32

const (
	nodeCreated         eventType = 1
	nodeDeleted         eventType = 2
	nodeDataChanged     eventType = 3
	nodeChildrenChanged eventType = 4
)

// Request numbers (xid) with a meaning of their own.
const (
	xidNotification = -1
	xidPing         = -2
)

// stateSyncConnected is the session state named in watch events.
const stateSyncConnected = 3
