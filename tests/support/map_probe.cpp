// SPDX-License-Identifier: Apache-2.0
// A plain program that maps a file privately, as QEMU maps a child's memory,
// and writes what it finds there into another: map_probe FILE BYTES OUTPUT.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 4 || std::getenv("LD_PRELOAD")) {
    std::fputs("wrong arguments, or LD_PRELOAD is still set\n", stderr);
    return 2;
  }
  const int fd = ::open(argv[1], O_RDONLY | O_CLOEXEC);
  const auto bytes = static_cast<std::size_t>(std::atoll(argv[2]));
  auto* memory = static_cast<uint8_t*>(
    ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  const int out = ::open(argv[3], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const auto written = ::write(out, memory, bytes);
  memory[0] = 1; // private: the file does not change
  return written == static_cast<ssize_t>(bytes) ? 0 : 3;
}
