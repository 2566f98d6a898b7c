// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/qemu_facts.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/error.hpp"
#include "node/network/apart.hpp"
#include "node/qemu/process.hpp"

namespace forkfleet::qemu {

namespace {

constexpr auto ask_limit = std::chrono::seconds{20};
constexpr std::size_t programs_max = 16;
constexpr uint32_t some_uid = 4'000'000'000;

// Whoever has changed its user needs no call that changes it, and has no
// capability to make one succeed; but QEMU changes it after its filter is on.
constexpr const char* with_own_user = "on,obsolete=deny,elevateprivileges="
                                      "allow,spawn=deny,resourcecontrol=deny";
constexpr const char* without_own_user = "on,obsolete=deny,elevateprivileges="
                                         "deny,spawn=deny,resourcecontrol="
                                         "deny";

// Why QEMU refuses these words; it only lists its processors.
std::string obstacle_to(const std::string& path,
                        std::vector<std::string> words) {
  words.insert(words.begin(), path);
  words.insert(words.end(), {"-cpu", "help"});
  const auto ended =
    run_to_end(words, std::chrono::steady_clock::now() + ask_limit);
  return ended ? std::string{} : ended.error().message;
}

std::string user_text(uint32_t uid) {
  return fmt::format("{}:{}", uid, uid);
}

// In a process of its own, which ends with what it starts.
expected<std::string> hear(const std::string& path) {
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, "pipe"));
  const auto child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execl(path.c_str(), path.c_str(), "--version", nullptr);
    ::_exit(1);
  }
  ::close(ends[1]);
  auto text = std::string{};
  auto room = std::array<char, 512>{};
  ssize_t got = 0;
  while (text.size() < room.size()
         && (got = ::read(ends[0], room.data(), room.size())) > 0)
    text.append(room.data(), static_cast<std::size_t>(got));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return text.substr(0, text.find('\n'));
}

qemu_facts ask(const std::string& path) {
  auto result = qemu_facts{};
  result.version =
    run_apart([&path] { return hear(path); }, ask_limit).value_or("");
  result.sandbox_obstacle = obstacle_to(path, {"-sandbox", without_own_user});
  result.user_obstacle = obstacle_to(path, {"-runas", user_text(some_uid)});
  if (!result.user_obstacle.empty()) {
    result.has_run_with =
      obstacle_to(path, {"-run-with", "user=" + user_text(some_uid)}).empty();
    if (result.has_run_with)
      result.user_obstacle.clear();
  }
  return result;
}

using program_stamp = std::tuple<std::string, dev_t, ino_t, off_t, time_t>;

} // namespace

qemu_facts facts_of(const std::string& path) {
  static std::mutex mutex;
  static std::map<program_stamp, qemu_facts> known;
  struct stat about = {};
  if (::stat(path.c_str(), &about) != 0)
    return {.sandbox_obstacle = path + " is not there",
            .user_obstacle = path + " is not there"};
  const auto stamp = program_stamp{path, about.st_dev, about.st_ino,
                                   about.st_size, about.st_mtime};
  const std::lock_guard lock{mutex};
  if (const auto found = known.find(stamp); found != known.end())
    return found->second;
  if (known.size() >= programs_max)
    known.clear();
  return known[stamp] = ask(path);
}

std::vector<std::string> confinement_words(const qemu_facts& facts,
                                           uint32_t uid) {
  auto result = std::vector<std::string>{};
  const bool takes_user = uid != 0 && facts.user_obstacle.empty();
  if (facts.sandbox_obstacle.empty())
    result = {"-sandbox", takes_user ? with_own_user : without_own_user};
  if (!takes_user)
    return result;
  if (facts.has_run_with)
    result.insert(result.end(), {"-run-with", "user=" + user_text(uid)});
  else
    result.insert(result.end(), {"-runas", user_text(uid)});
  return result;
}

} // namespace forkfleet::qemu
