// SPDX-License-Identifier: Apache-2.0
// The init of a guest that ends: in the way that `ff.end=` on its kernel's
// command line names, `ff.after=` seconds after it said that it is ready.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

char words[4096] = {};

/// What stands behind `key` on the command line.
const char* word(const char* key) {
  const char* found = std::strstr(words, key);
  return found != nullptr ? found + std::strlen(key) : "";
}

bool is(const char* text, const char* name) {
  return std::strncmp(text, name, std::strlen(name)) == 0;
}

void press(char key) {
  const int trigger = ::open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  if (trigger < 0 || ::write(trigger, &key, 1) != 1)
    std::puts("no sysrq");
}

} // namespace

int main() {
  ::mkdir("/proc", 0755);
  ::mount("proc", "/proc", "proc", 0, nullptr);
  const int file = ::open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  if (file < 0 || ::read(file, words, sizeof words - 1) < 0)
    std::puts("no command line");
  std::puts("init: ready");
  std::fflush(stdout);
  ::sleep(static_cast<unsigned>(std::atoi(word("ff.after="))));
  const char* how = word("ff.end=");
  if (is(how, "reboot"))
    ::reboot(RB_AUTOBOOT);
  if (is(how, "poweroff"))
    ::reboot(RB_POWER_OFF);
  if (is(how, "panic"))
    press('c');
  if (is(how, "reset"))
    press('b');
  return 0; // which the kernel does not survive
}
