// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/keeper_link.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include <fmt/format.h>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr auto end_patience = std::chrono::seconds{5};
// Longer than a keeper tries to reach its VM before it answers.
constexpr auto answer_max = std::chrono::seconds{5};
constexpr auto hello_patience = std::chrono::seconds{2};

// For messages that are not waited for: the socket's buffer takes them.
constexpr auto send_patience = std::chrono::milliseconds{100};

} // namespace

status start_keeper(const keeper_command& command, deadline_point until) {
  auto argv =
    std::vector<std::string>{command.keeper, "--directory", command.directory};
  if (!command.watchdog.empty())
    argv.insert(argv.end(), {"--watchdog", command.watchdog});
  if (!command.preload.empty())
    argv.insert(argv.end(), {"--preload", command.preload});
  if (!command.overlay.empty())
    argv.insert(argv.end(), {"--overlay", command.overlay});
  if (!command.record.empty())
    argv.insert(argv.end(), {"--record", command.record});
  if (!command.cgroup.empty())
    argv.insert(argv.end(), {"--cgroup", command.cgroup});
  if (!command.space.empty())
    argv.insert(argv.end(), {"--netns", command.space});
  if (!command.log.empty())
    argv.insert(argv.end(), {"--log", command.log});
  if (command.leash_pid > 0)
    argv.insert(argv.end(), {"--leash", fmt::format("{}", command.leash_pid)});
  if (command.output_bytes > 0)
    argv.insert(argv.end(),
                {"--output", fmt::format("{}", command.output_bytes)});
  if (command.uid > 0)
    argv.insert(argv.end(), {"--uid", fmt::format("{}", command.uid)});
  if (!command.vmm.empty()) {
    argv.push_back("--");
    argv.insert(argv.end(), command.vmm.begin(), command.vmm.end());
  }
  return run_to_end(argv, until);
}

namespace {

failure not_known(const std::string& directory, const failure& why) {
  return {ec::vmm_unreachable, "whether a VM runs in " + directory
                                 + " is not known: " + why.message};
}

// A VM whose keeper has died still serves its own socket.
status end_unkept_vm(const std::string& directory, const char* vmm_socket,
                     deadline_point until) {
  const auto path = directory + "/" + vmm_socket;
  const auto served = is_served(path, SOCK_STREAM);
  if (!served)
    return tl::unexpected(not_known(directory, served.error()));
  if (!*served)
    return {};
  const auto line = connect_unix(path, SOCK_STREAM, until);
  const auto vmm = line ? find_process(identify(peer_process(line->get())))
                        : process_look::not_known(line.error().message);
  if (vmm.has_ended())
    return {};
  if (!vmm.runs())
    return tl::unexpected(not_known(directory, vmm.error()));
  return end_process(vmm.pidfd(), {}, until);
}

} // namespace

status end_kept_vm(const std::string& directory, const char* vmm_socket,
                   deadline_point until) {
  const auto path = directory + "/" + keeper_socket;
  const auto limit = std::max(until, steady_clock::now() + end_patience);
  const auto served = is_served(path, SOCK_SEQPACKET);
  if (!served)
    return tl::unexpected(not_known(directory, served.error()));
  if (!*served)
    return end_unkept_vm(directory, vmm_socket, limit);
  auto link = keeper_link::connect(path, steady_clock::now() + hello_patience);
  if (!link)
    return tl::unexpected(not_known(directory, link.error()));
  const auto& id = link->identity().vmm;
  if (id.pid <= 0) {
    link->leave();
    return end_unkept_vm(directory, vmm_socket, limit);
  }
  const auto vmm = find_process(id);
  if (vmm.state() == liveness::unknown)
    return tl::unexpected(not_known(directory, vmm.error()));
  if (vmm.runs())
    if (auto ended = end_process(vmm.pidfd(), {}, limit); !ended)
      return ended;
  return link->wait_for_end(limit);
}

expected<keeper_link> keeper_link::connect(const std::string& path,
                                           deadline_point until) {
  auto socket = connect_unix(path, SOCK_SEQPACKET, until);
  if (!socket)
    return tl::unexpected(socket.error());
  auto link = keeper_link{path, std::move(*socket)};
  if (auto said = link.say("hello", -1, until); !said)
    return tl::unexpected(said.error());
  auto reply = link.hear(until);
  if (!reply)
    return tl::unexpected(reply.error());
  auto in = std::istringstream{*reply};
  auto word = std::string{};
  auto keeper_pid = pid_t{0};
  auto& vmm = link.identity_.vmm;
  if (!(in >> word >> keeper_pid >> vmm.pid >> vmm.start_ticks)
      || word != "hello")
    return fail(ec::vmm_unreachable, path + ": what answers is no keeper");
  link.identity_.keeper = identify(keeper_pid);
  return link;
}

status keeper_link::check(deadline_point until) const {
  const auto answer = connect(path_, until);
  if (!answer)
    return tl::unexpected(answer.error());
  if (answer->identity_.keeper != identity_.keeper)
    return fail(ec::vmm_unreachable, path_ + ": another keeper listens there");
  return {};
}

expected<std::string> keeper_link::guard(int pipe, deadline_point until) {
  if (auto said = say("guard", pipe, until); !said)
    return tl::unexpected(said.error());
  auto reply = hear(until);
  if (!reply)
    return reply;
  if (*reply == "guarded")
    return std::string{};
  constexpr std::string_view unguarded = "unguarded ";
  if (reply->starts_with(unguarded))
    return reply->substr(unguarded.size());
  return fail(ec::vmm_unreachable, path_ + ": unexpected: " + *reply);
}

status keeper_link::lease(std::chrono::milliseconds duration) {
  return say(fmt::format("lease {}", duration.count()), -1,
             steady_clock::now() + send_patience);
}

expected<bool> keeper_link::resumed(deadline_point until) {
  return is_in_time("resumed", until);
}

status keeper_link::reading(std::chrono::milliseconds duration) {
  return say(fmt::format("reading {}", duration.count()), -1,
             steady_clock::now() + send_patience);
}

expected<bool> keeper_link::read(deadline_point until) {
  return is_in_time("read", until);
}

expected<bool> keeper_link::is_in_time(std::string_view said,
                                       deadline_point until) {
  if (auto sent = say(said, -1, until); !sent)
    return tl::unexpected(sent.error());
  auto reply = hear(until);
  if (!reply)
    return tl::unexpected(reply.error());
  return *reply == "in-time";
}

expected<unique_fd> keeper_link::tracker(deadline_point until) {
  if (auto said = say("tracker", -1, until); !said)
    return tl::unexpected(said.error());
  auto passed = unique_fd{};
  auto reply = hear(until, &passed);
  if (!reply)
    return tl::unexpected(reply.error());
  if (passed)
    return passed;
  constexpr std::string_view untracked = "untracked ";
  if (reply->starts_with(untracked))
    return fail(ec::unsupported, reply->substr(untracked.size()));
  return fail(ec::vmm_unreachable, path_ + ": unexpected: " + *reply);
}

void keeper_link::leave() noexcept {
  // It leaves at the end of the connection, too, only later.
  static_cast<void>(
    say("leave", -1, steady_clock::now() + send_patience).has_value());
  socket_.reset();
}

status keeper_link::wait_for_end(deadline_point until) const {
  const auto keeper = find_process(identity_.keeper);
  if (keeper.has_ended())
    return {};
  if (!keeper.runs())
    return tl::unexpected(keeper.error());
  if (qemu::wait_for_end(keeper.pidfd(), until))
    return {};
  return fail(ec::deadline_exceeded,
              path_ + ": the keeper did not end with its VM");
}

status keeper_link::say(std::string_view text, int pass, deadline_point until) {
  auto sent = send_text(socket_.get(), text, pass, until);
  if (!sent)
    return fail(sent.error().code, path_ + ": " + sent.error().message);
  return {};
}

expected<std::string> keeper_link::hear(deadline_point until,
                                        unique_fd* passed) {
  auto room = std::array<char, keeper_message_max>{};
  // One that hangs must not cost a branch all of its time.
  until = std::min(until, deadline_point{steady_clock::now() + answer_max});
  auto got = receive(socket_.get(), room, until);
  if (!got)
    return fail(got.error().code, path_ + ": " + got.error().message);
  if (got->bytes == 0)
    return fail(ec::vmm_unreachable, path_ + ": the keeper has left");
  if (passed)
    *passed = std::move(got->passed);
  return std::string{room.data(), got->bytes};
}

} // namespace forkfleet::qemu
