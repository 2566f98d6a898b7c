// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/vmm_child.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "actors/durable_file.hpp"
#include "actors/schema/json_text.hpp"
#include "node/confinement.hpp"
#include "node/keeper/log.hpp"
#include "node/preload/preload.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet::keeper {

namespace {

constexpr int exec_failed = 127;
constexpr std::size_t told_max = 128;

// A program's arguments and environment, as exec takes them.
struct start_words {
  std::vector<char*> arguments = {};
  std::vector<char*> environment = {};
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  auto result = std::vector<char*>{};
  for (const auto& word : words)
    result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

// Our own environment and what the preload library reads.
std::vector<std::string> environment_for(const options& settings, int offer) {
  auto result = std::vector<std::string>{};
  for (char** word = environ; *word; ++word)
    if (settings.preload.empty()
        || !std::string_view{*word}.starts_with("LD_PRELOAD="))
      result.emplace_back(*word);
  if (settings.preload.empty())
    return result;
  result.push_back("LD_PRELOAD=" + settings.preload);
  result.push_back(fmt::format("{}={}", preload::tracker_variable, offer));
  if (!settings.overlay.empty())
    result.push_back(
      fmt::format("{}={}", preload::overlay_variable, settings.overlay));
  return result;
}

expected<std::array<unique_fd, 2>> make_sockets() {
  auto ends = std::array<int, 2>{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return tl::unexpected(errno_failure(errno, "socketpair"));
  return std::array{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become_vmm(const start_words& words, int log, int report,
                             int offer, pid_t leash, capability_set keep) {
  if (leash > 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != leash)
      ::_exit(exec_failed);
  }
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  for (const int number : {SIGHUP, SIGINT, SIGPIPE})
    ::signal(number, SIG_DFL);
  // The VM inherits the socket, and nothing else.
  if (offer >= 0)
    ::fcntl(offer, F_SETFD, 0);
  int error = confine_program(keep);
  if (error == 0) {
    ::execve(words.arguments.front(), words.arguments.data(),
             words.environment.data());
    error = errno;
  }
  [[maybe_unused]] const auto told = ::write(report, &error, sizeof error);
  ::_exit(exec_failed);
}

// errno of a failed exec; 0 when the pipe closed, which exec does.
int exec_error(int report) {
  int error = 0;
  while (::read(report, &error, sizeof error) < 0 && errno == EINTR)
    continue;
  return error;
}

} // namespace

status vmm_child::start(const options& settings) {
  auto offer = make_sockets();
  if (!offer)
    return tl::unexpected(offer.error());
  const bool is_preloaded = !settings.preload.empty();
  const auto environment =
    environment_for(settings, is_preloaded ? (*offer)[1].get() : -1);
  const auto words = start_words{pointers(settings.vmm), pointers(environment)};
  const auto log = unique_fd{::open(
    settings.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  auto ends = std::array<int, 2>{};
  if (!log || ::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, settings.log));
  const auto report = unique_fd{ends[0]};
  auto report_end = unique_fd{ends[1]};
  ::unlink(exit_file);
  const auto parent = settings.leash_pid > 0 ? ::getpid() : 0;
  const auto keep = vm_process_capabilities(settings.uid > 0, is_preloaded);
  const auto pid = ::fork();
  if (pid < 0)
    return tl::unexpected(errno_failure(errno, "fork"));
  if (pid == 0)
    become_vmm(words, log.get(), report_end.get(),
               is_preloaded ? (*offer)[1].get() : -1, parent, keep);
  report_end.reset();
  if (const int error = exec_error(report.get()); error != 0) {
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected(errno_failure(error, settings.vmm.front()));
  }
  if (is_preloaded)
    offer_ = std::move((*offer)[0]);
  pidfd_ = qemu::open_pid(pid);
  id_ = qemu::identify(pid);
  // A VM that cannot be watched is not kept.
  if (!pidfd_ || id_.pid != pid) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    id_ = {};
    pidfd_.reset();
    return tl::unexpected(errno_failure(error, "the VM's process"));
  }
  return {};
}

expected<int> vmm_child::tracker(deadline_point until) {
  if (offer_) {
    auto room = std::array<char, 256>{};
    auto got = qemu::receive(offer_.get(), room, until);
    if (!got && got.error().code == ec::deadline_exceeded)
      return fail(ec::unsupported, "the VM has not offered it yet");
    offer_.reset();
    no_tracker_ = "the preload library was not loaded into the VM";
    if (got && got->bytes > 0)
      no_tracker_.assign(room.data(), got->bytes);
    if (got)
      tracker_ = std::move(got->passed);
  }
  if (!tracker_)
    return fail(ec::unsupported, no_tracker_);
  return tracker_.get();
}

void vmm_child::kill() const {
  if (pidfd_)
    qemu::send_signal(pidfd_.get(), SIGKILL);
}

void vmm_child::reap(const std::string& told) {
  int code = 0;
  while (::waitpid(id_.pid, &code, 0) < 0 && errno == EINTR)
    continue;
  const int value = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
  const int number = WIFSIGNALED(code) ? WTERMSIG(code) : 0;
  const auto text = schema::dump({{"pid", id_.pid},
                                  {"status", value},
                                  {"signal", number},
                                  {"told", bounded_text(told, told_max)}})
                    + "\n";
  log_line("vmm.ended", text.substr(0, text.size() - 1));
  if (auto kept = write_durably(exit_file, text); !kept)
    log_line("exit.lost", to_string(kept.error()));
  id_ = {};
  pidfd_.reset();
  tracker_.reset();
}

} // namespace forkfleet::keeper
