// SPDX-License-Identifier: Apache-2.0
// Has the kernel draw new random numbers from now on, from the seed on its
// standard input. For guests that have neither perl nor python.
#include <cstdio>
#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace {

constexpr int seed_bytes_max = 512;
constexpr int seed_bits = 512; // what its digits hold

// rand_pool_info with room for its buffer.
struct {
  int entropy_count = 0; // bits
  int buf_size = 0;
  char bytes[seed_bytes_max] = {};
} seed;

} // namespace

int main() {
  const auto got = read(STDIN_FILENO, seed.bytes, sizeof seed.bytes);
  const int pool = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  if (got <= 0 || pool < 0) {
    std::perror("reseed");
    return 1;
  }
  seed.entropy_count = seed_bits;
  seed.buf_size = static_cast<int>(got);
  // Credited first: a kernel that has too few bits yet takes no reseed.
  if (ioctl(pool, RNDADDENTROPY, &seed) != 0
      || ioctl(pool, RNDRESEEDCRNG) != 0) {
    std::perror("reseed");
    return 1;
  }
  return 0;
}
