// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/run_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace forkfleet::shell {
namespace {

std::string lock_path(const std::string& state) {
  return state + "/up.lock";
}

struct flock whole_file() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

} // namespace

status make_state_directory(const std::string& state) {
  std::error_code problem;
  const auto parent = std::filesystem::path{state}.parent_path();
  std::filesystem::create_directories(parent, problem);
  if (problem)
    return fail(ec::io_failed, parent.string() + ": " + problem.message());
  if (mkdir(state.c_str(), 0700) != 0 && errno != EEXIST)
    return tl::unexpected{errno_failure(errno, state)};
  return {};
}

expected<std::optional<run_lock>> run_lock::take(const std::string& state) {
  if (auto made = make_state_directory(state); !made)
    return tl::unexpected{made.error()};
  const auto path = lock_path(state);
  unique_fd file{
    open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file)
    return tl::unexpected{errno_failure(errno, path)};
  auto range = whole_file();
  if (fcntl(file.get(), F_SETLK, &range) == 0)
    return run_lock{std::move(file)};
  if (errno == EACCES || errno == EAGAIN)
    return std::optional<run_lock>{};
  return tl::unexpected{errno_failure(errno, "lock " + path)};
}

void run_lock::describe(const std::vector<std::string>& lines) const {
  std::string text;
  for (const auto& x : lines)
    text += x + "\n";
  // For people only: what cannot be written is missed by nobody.
  if (ftruncate(file_.get(), 0) == 0) {
    [[maybe_unused]] const auto n =
      pwrite(file_.get(), text.data(), text.size(), 0);
  }
}

expected<int> lock_holder(const std::string& state) {
  const auto path = lock_path(state);
  const unique_fd file{open(path.c_str(), O_RDWR | O_CLOEXEC)};
  if (!file && errno == ENOENT)
    return 0;
  auto range = whole_file();
  if (!file || fcntl(file.get(), F_GETLK, &range) != 0)
    return tl::unexpected{errno_failure(
      errno, path,
      errno == EACCES || errno == EPERM ? ec::not_permitted : ec::io_failed)};
  return range.l_type == F_UNLCK ? 0 : range.l_pid;
}

std::vector<std::string> lock_text(const std::string& state) {
  std::ifstream file{lock_path(state)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty())
      lines.push_back(line);
  return lines;
}

expected<unique_fd> open_lock_holder(const std::string& state) {
  const auto pid = lock_holder(state);
  if (!pid)
    return tl::unexpected{pid.error()};
  if (*pid <= 0)
    return unique_fd{};
  unique_fd process{static_cast<int>(syscall(SYS_pidfd_open, *pid, 0))};
  if (!process && errno != ESRCH)
    return tl::unexpected{
      errno_failure(errno, "process " + std::to_string(*pid))};
  // Whoever holds it after the process was opened is the process opened.
  const auto still = lock_holder(state);
  if (!still)
    return tl::unexpected{still.error()};
  return *still == *pid ? std::move(process) : unique_fd{};
}

} // namespace forkfleet::shell
