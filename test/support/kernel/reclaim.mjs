// Pages that go: a machine may push out what a test has just brought in, with memory to spare, where
// the kernel reclaims ahead of need (DAMON_RECLAIM).

/** Tests of the suite that make pages resident and then count them are tried again, three times at most. */
export function despiteReclaim(suite) {
  suite.retries(3);
}
