/* Chance for a process that is to have the same history each time: what the standard library,
 * tokio and uuid ask the system for is drawn from SIMULATION_SEED instead, by splitmix64.
 * Preloaded; Rust's standard library calls this symbol so that it can be replaced.
 * It is called by one thread: the process that simulates has no other. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

static uint64_t state;
static int begun;

ssize_t getrandom(void *into, size_t many, unsigned int flags)
{
    unsigned char *bytes = into;
    (void)flags;
    if (!begun) {
        const char *seed = getenv("SIMULATION_SEED");
        state = seed ? strtoull(seed, NULL, 10) : 0;
        begun = 1;
    }
    for (size_t at = 0; at < many; at++) {
        uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        bytes[at] = (unsigned char)(z ^ (z >> 31));
    }
    return (ssize_t)many;
}
