package account

// KeepsWhatWasReadBeforeARevocation tells whether a key that was being read while
// another call revoked one is remembered. It must not be: it may be the revoked one.
func KeepsWhatWasReadBeforeARevocation() bool {
	var k known
	begun := k.begin()
	k.forget()
	k.keep(begun, "hash", Caller{AgentID: "ag_a"}, 1)
	return len(k.keys) > 0
}
