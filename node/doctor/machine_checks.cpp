// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/unique_fd.hpp"
#include "node/doctor/checks.hpp"
#include "node/network/apart.hpp"
#include "node/preload/tracker_gift.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/qemu_facts.hpp"
#include "node/qemu/vm_launch.hpp"

namespace forkfleet::doctor {

namespace {

constexpr auto probe_limit = std::chrono::seconds{5};
constexpr const char* tracked_remedy =
  "use Linux 6.7 or newer: on Debian 12 linux-image-amd64 of "
  "bookworm-backports, or Debian 13";

std::string kernel_release() {
  auto name = utsname{};
  return ::uname(&name) == 0 ? name.release : "an unknown kernel";
}

expected<std::string> look_at_tracking() {
  const auto fd = unique_fd{preload::open_userfaultfd()};
  if (!fd)
    return fail(ec::unsupported, std::strerror(errno));
  return std::string{preload::set_up_tracking(fd.get())
                       ? ""
                       : "the kernel has no asynchronous write protection"};
}

host_check check_kvm() {
  if (qemu::has_usable_kvm())
    return ok("kvm", "/dev/kvm can be used");
  const bool is_there = ::access("/dev/kvm", F_OK) == 0;
  const bool is_open = ::access("/dev/kvm", R_OK | W_OK) == 0;
  if (!is_there)
    return warn("kvm",
                "there is no /dev/kvm: guests run under tcg, many "
                "times slower",
                "turn virtualisation on in the firmware, or nested "
                "virtualisation in the machine above, and load kvm_intel or "
                "kvm_amd");
  if (!is_open)
    return warn("kvm",
                "/dev/kvm cannot be opened: guests run under tcg, "
                "many times slower",
                "add the node's user to the group kvm");
  return warn("kvm",
              "/dev/kvm is there, but the processor shows neither vmx nor "
              "svm, which stock guests need: they run under tcg",
              "turn nested virtualisation on in the machine above");
}

host_check check_qemu(const qemu_program& found) {
  if (!found.obstacle.empty())
    return bad("qemu", found.obstacle, "install qemu-system-x86");
  const auto facts = qemu::facts_of(found.path);
  auto text =
    facts.version.empty() ? found.path + " says nothing" : facts.version;
  if (facts.version.empty())
    return bad("qemu", text, "install qemu-system-x86");
  if (!found.has_preload)
    return warn("qemu",
                text
                  + "; libforkfleet-preload.so is not there: no memory can "
                    "be tracked, and no chain be mapped",
                "put it beside the programs, or set FORKFLEET_PRELOAD");
  return ok("qemu", text);
}

host_check check_userfaultfd(const tracking_facts& facts) {
  if (!facts.has_userfaultfd)
    return bad("userfaultfd", "it cannot be had: " + facts.obstacle,
               "run the node as root, or set the sysctl "
               "vm.unprivileged_userfaultfd to 1");
  return ok("userfaultfd", "it can be had");
}

host_check check_capture(const qemu_program& qemu,
                         const tracking_facts& facts) {
  const auto kernel = kernel_release();
  if (facts.obstacle.empty() && qemu.has_preload)
    return ok("capture", "full, diff and live: tracked, with a pause for the "
                         "last changes only (Linux "
                           + kernel + ")");
  if (!facts.has_userfaultfd)
    return bad("capture",
               "full and diff: stopped copy; live: none. The guest stands "
               "while its memory is copied",
               "see userfaultfd");
  const auto why = facts.obstacle.empty()
                     ? "the preload library is not there"
                     : facts.obstacle + " (Linux " + kernel + ")";
  return warn("capture",
              "full: stopped copy; diff and live: background-snapshot, which "
              "writes all of the memory. Not tracked: "
                + why,
              facts.obstacle.empty() ? "see qemu" : tracked_remedy);
}

} // namespace

tracking_facts find_tracking() {
  const auto found = run_apart(look_at_tracking, probe_limit);
  if (!found)
    return {.has_userfaultfd = false, .obstacle = found.error().message};
  return {.has_userfaultfd = true, .obstacle = *found};
}

qemu_program find_qemu(const examination& what) {
  const auto found = qemu::find_programs({.qemu = what.qemu});
  if (!found)
    return {.obstacle = found.error().message};
  return {.path = found->qemu, .has_preload = !found->preload.empty()};
}

checks check_machine(const examination& what) {
  const auto found = find_qemu(what);
  const auto tracking = find_tracking();
  return {check_kvm(), check_qemu(found), check_userfaultfd(tracking),
          check_capture(found, tracking)};
}

} // namespace forkfleet::doctor
