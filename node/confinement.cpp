// SPDX-License-Identifier: Apache-2.0
#include "node/confinement.hpp"

#include <array>
#include <cerrno>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace forkfleet {

namespace {

constexpr int capabilities_most = 64;

capability_set set_of(std::initializer_list<int> numbers) {
  capability_set result = 0;
  for (const int number : numbers)
    result |= capability_set{1} << number;
  return result;
}

struct thread_sets {
  capability_set effective = 0;
  capability_set permitted = 0;
  capability_set inheritable = 0;
};

using raw_sets = std::array<__user_cap_data_struct, 2>;

__user_cap_header_struct header() noexcept {
  return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
}

// glibc has no functions for these.
bool get_sets(thread_sets& result) noexcept {
  auto head = header();
  auto raw = raw_sets{};
  if (::syscall(SYS_capget, &head, raw.data()) != 0)
    return false;
  const auto join = [](uint32_t low, uint32_t high) {
    return capability_set{high} << 32 | low;
  };
  result = {join(raw[0].effective, raw[1].effective),
            join(raw[0].permitted, raw[1].permitted),
            join(raw[0].inheritable, raw[1].inheritable)};
  return true;
}

bool put_sets(const thread_sets& x) noexcept {
  auto head = header();
  auto raw = raw_sets{};
  for (unsigned i = 0; i < raw.size(); ++i)
    raw[i] = {.effective = static_cast<uint32_t>(x.effective >> (32 * i)),
              .permitted = static_cast<uint32_t>(x.permitted >> (32 * i)),
              .inheritable = static_cast<uint32_t>(x.inheritable >> (32 * i))};
  return ::syscall(SYS_capset, &head, raw.data()) == 0;
}

// What the kernel does not know is not there either.
bool drop_bounding(capability_set keep) noexcept {
  for (int i = 0; i < capabilities_most; ++i) {
    if ((keep >> i & 1) != 0)
      continue;
    if (::prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EINVAL)
      return false;
  }
  return true;
}

bool may_drop_bounding(const thread_sets& x) noexcept {
  return (x.effective >> CAP_SETPCAP & 1) != 0;
}

} // namespace

capability_set node_capabilities() {
  return set_of({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
                 CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_ADMIN,
                 CAP_SYS_ADMIN, CAP_SYS_PTRACE});
}

capability_set keeper_capabilities() {
  return set_of({CAP_KILL});
}

capability_set vm_process_capabilities(bool takes_user, bool has_preload) {
  if (takes_user)
    return set_of({CAP_DAC_OVERRIDE, CAP_SETGID, CAP_SETUID, CAP_SYS_PTRACE});
  if (has_preload && ::access("/dev/userfaultfd", R_OK | W_OK) == 0)
    return set_of({CAP_DAC_OVERRIDE});
  return set_of({CAP_DAC_OVERRIDE, CAP_SYS_PTRACE});
}

bool has_capabilities(capability_set wanted) {
  auto sets = thread_sets{};
  return get_sets(sets) && (sets.effective & wanted) == wanted;
}

status keep_only(capability_set keep) {
  auto sets = thread_sets{};
  if (!get_sets(sets))
    return tl::unexpected(errno_failure(errno, "capget"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return tl::unexpected(errno_failure(errno, "no_new_privs"));
  if (may_drop_bounding(sets) && !drop_bounding(keep))
    return tl::unexpected(errno_failure(errno, "the bounding set"));
  // What the kernel takes out of a set of these it takes out of the ambient
  // one, too: a program that we start without root's user has the rest.
  if (!put_sets({sets.effective & keep, sets.permitted & keep,
                 sets.inheritable & keep}))
    return tl::unexpected(errno_failure(errno, "capset"));
  return {};
}

int confine_program(capability_set keep) noexcept {
  const auto none = rlimit{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0)
    return errno;
  auto sets = thread_sets{};
  if (!get_sets(sets))
    return errno;
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (may_drop_bounding(sets)) {
    // A program of root's gets what is inheritable, beyond the bounding set.
    sets.inheritable = sets.permitted & keep;
    if (!put_sets(sets) || !drop_bounding(0))
      return errno;
  }
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

} // namespace forkfleet
