// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/keeper_watch.hpp"

#include <csignal>

#include <fmt/format.h>

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr char stopped_letter = 'T';

deadline_point answer_time() {
  return steady_clock::now() + keeper_answer_max;
}

// A keeper that somebody stopped, or the one that still listens after our
// connection to it broke.
status find_again(std::optional<keeper_link>& link,
                  const keeper_command& replacement) {
  auto found = keeper_link::connect(replacement.directory + "/" + keeper_socket,
                                    answer_time());
  if (!found)
    return tl::unexpected(found.error());
  link.emplace(std::move(*found));
  return {};
}

// Ends a keeper that does not answer. One with a leash would take its VM
// along: that one stays.
status end_keeper(const keeper_identity& identity, const process_look& keeper,
                  bool has_leash) {
  const auto pid = identity.keeper.pid;
  if (has_leash && identity.vmm.pid > 0)
    return fail(ec::vmm_unreachable,
                fmt::format("the keeper of this VM, process {}, does not "
                            "answer, and the VM would end with it; a guest "
                            "that is paused now may stay so: see why it hangs, "
                            "or start the sandbox anew",
                            pid));
  send_signal(keeper.pidfd(), SIGKILL);
  if (wait_for_end(keeper.pidfd(), answer_time()))
    return {};
  return fail(ec::vmm_unreachable,
              fmt::format("the keeper, process {}, does not answer, and does "
                          "not end when killed",
                          pid));
}

// What became of the keeper that does not answer: empty when it answers after
// all, else why it is to be replaced.
expected<std::string> look_after(std::optional<keeper_link>& link,
                                 const keeper_command& replacement,
                                 std::vector<std::string>& warnings) {
  const auto identity = link->identity();
  const auto pid = identity.keeper.pid;
  const auto keeper = find_process(identity.keeper);
  if (keeper.has_ended())
    return fmt::format("the keeper, process {}, had ended", pid);
  if (!keeper.runs())
    return tl::unexpected(
      failure{ec::vmm_unreachable,
              "its keeper does not answer: " + keeper.error().message});
  if (state_letter(pid) == stopped_letter) {
    send_signal(keeper.pidfd(), SIGCONT);
    if (find_again(link, replacement)) {
      warnings.push_back(
        fmt::format("the keeper, process {}, was stopped, and goes on", pid));
      return std::string{};
    }
  }
  if (auto ended = end_keeper(identity, keeper, replacement.leash_pid > 0);
      !ended)
    return tl::unexpected(ended.error());
  return fmt::format("the keeper, process {}, did not answer", pid);
}

} // namespace

status see_to_keeper(std::optional<keeper_link>& link,
                     const keeper_command& replacement,
                     std::vector<std::string>& warnings) {
  if (!link && find_again(link, replacement))
    return {};
  // A VM that was attached to gets its keeper with its first branch.
  const bool had_one = link.has_value();
  auto why = std::string{"it had none"};
  if (link) {
    if (link->check(answer_time()))
      return {};
    const auto looked = look_after(link, replacement, warnings);
    if (!looked)
      return tl::unexpected(looked.error());
    if (looked->empty())
      return {};
    why = *looked;
    link.reset();
  }
  const auto until = answer_time();
  const auto started = start_keeper(replacement, until);
  const auto linked =
    started ? find_again(link, replacement) : tl::unexpected(started.error());
  if (!linked)
    return fail(ec::vmm_unreachable,
                "no keeper guards this VM (" + why
                  + "), and none can be started, so nobody would resume its "
                    "guest: "
                  + linked.error().message);
  if (had_one)
    warnings.push_back(why + ": another one guards this VM");
  return {};
}

} // namespace forkfleet::qemu
