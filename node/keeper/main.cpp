// SPDX-License-Identifier: Apache-2.0
// forkfleet-keeper: starts one VM and guards it. Returns to its caller when
// the VM's process exists, and goes on in the background.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/descriptors.hpp"
#include "node/confinement.hpp"
#include "node/keeper/keeper.hpp"
#include "node/network/net_space.hpp"

namespace {

using namespace forkfleet;

constexpr const char* log_file = "keeper.log";

int refuse(const failure& error) {
  const auto text = to_string(error) + "\n";
  std::fputs(text.c_str(), stderr);
  return 1;
}

// Waits in the foreground for what the background says: nothing when it is
// ready, else what went wrong.
int wait_for_ready(int report) {
  auto room = std::array<char, 1024>{};
  ssize_t got = 0;
  bool is_ready = false;
  while ((got = ::read(report, room.data(), room.size())) != 0) {
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      break;
    const auto text =
      std::string_view{room.data(), static_cast<std::size_t>(got)};
    is_ready = text == "ready";
    if (!is_ready)
      std::fwrite(text.data(), 1, text.size(), stderr);
  }
  return is_ready ? 0 : 1;
}

// Everything that comes of this process is in it from its first instruction.
status join_cgroup(const std::string& directory) {
  if (directory.empty())
    return {};
  const auto path = directory + "/cgroup.procs";
  const auto file = unique_fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file || ::write(file.get(), "0", 1) != 1)
    return tl::unexpected(errno_failure(errno, path));
  return {};
}

int work(keeper::options settings, unique_fd report) {
  auto log = unique_fd{
    ::open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  if (log)
    ::dup2(log.get(), STDERR_FILENO);
  for (const int number : {SIGHUP, SIGINT, SIGPIPE})
    std::signal(number, SIG_IGN);
  auto it = keeper::keeper{std::move(settings)};
  auto started = it.start();
  // What the VM's process was started with is not needed any more.
  if (started)
    if (auto confined = keep_only(keeper_capabilities()); !confined) {
      it.end_vm();
      started = confined;
    }
  const auto text = started ? "ready" : to_string(started.error());
  [[maybe_unused]] const auto told =
    ::write(report.get(), text.data(), text.size());
  report.reset();
  if (!started)
    return 1;
  it.run();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  // Its VM has the same: disks, devices and migrations take descriptors.
  raise_descriptor_limit();
  auto settings = keeper::parse_options({argv + 1, argv + argc});
  if (!settings) {
    std::fputs(keeper::usage, stderr);
    refuse(settings.error());
    return 2;
  }
  ::umask(0077);
  if (::chdir(settings->directory.c_str()) != 0)
    return refuse(errno_failure(errno, settings->directory));
  if (auto joined = join_cgroup(settings->cgroup); !joined)
    return refuse(joined.error());
  if (!settings->space.empty())
    if (auto entered = enter_space(settings->space); !entered)
      return refuse(entered.error());
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return refuse(errno_failure(errno, "pipe"));
  auto report = unique_fd{ends[0]};
  auto report_end = unique_fd{ends[1]};
  const auto pid = ::fork();
  if (pid < 0)
    return refuse(errno_failure(errno, "fork"));
  if (pid > 0) {
    report_end.reset();
    return wait_for_ready(report.get());
  }
  report.reset();
  return work(std::move(*settings), std::move(report_end));
}
