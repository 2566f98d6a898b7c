// SPDX-License-Identifier: Apache-2.0
#include "node/network/apart.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t last_words_max = 400;
constexpr char is_answer = 'a';

struct two_ends {
  unique_fd reader = {};
  unique_fd writer = {};
};

expected<two_ends> make_ends() {
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, "pipe"));
  return two_ends{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

expected<std::string>
do_work(const std::function<expected<std::string>()>& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    return fail(ec::io_failed, error.what());
  }
}

// In the child. The answer's first two bytes tell that it is one, and how
// it went.
[[noreturn]] void answer(const std::function<expected<std::string>()>& work,
                         int answers, int words) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(words, STDOUT_FILENO);
  ::dup2(words, STDERR_FILENO);
  const auto result = do_work(work);
  auto text = std::string{is_answer};
  text += static_cast<char>(result ? ec::none : result.error().code);
  text += result ? *result : result.error().message;
  write_all(answers, text);
  ::_exit(0);
}

// Reads what there is; false at the end.
bool read_some(int fd, std::string& text, std::size_t bytes_max) {
  auto room = std::array<char, 4096>{};
  const auto count = ::read(fd, room.data(), room.size());
  if (count < 0)
    return errno == EINTR;
  const auto taken =
    std::min(static_cast<std::size_t>(count), bytes_max - text.size());
  text.append(room.data(), taken);
  return count > 0;
}

// Until the answer has ended; false at the limit.
bool listen(int answers, std::string& text, int words, std::string& last_words,
            steady_clock::time_point until) {
  auto entries =
    std::array{pollfd{answers, POLLIN, 0}, pollfd{words, POLLIN, 0}};
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - steady_clock::now());
    if (left.count() <= 0)
      return false;
    if (::poll(entries.data(), entries.size(), static_cast<int>(left.count()))
          < 0
        && errno != EINTR)
      return false;
    if (entries[1].revents != 0
        && !read_some(words, last_words, last_words_max))
      entries[1].fd = -1;
    if (entries[0].revents != 0
        && !read_some(answers, text, apart_answer_max + 2))
      return true;
  }
}

failure end_of(int ended, std::string words) {
  std::replace(words.begin(), words.end(), '\n', ' ');
  while (words.ends_with(' '))
    words.pop_back();
  const auto how = WIFSIGNALED(ended)
                     ? fmt::format("was killed by signal {}", WTERMSIG(ended))
                     : fmt::format("ended with {}", WEXITSTATUS(ended));
  return {ec::io_failed, words.empty() ? "its process " + how
                                       : words + " (its process " + how + ")"};
}

} // namespace

expected<std::string>
run_apart(const std::function<expected<std::string>()>& work,
          std::chrono::milliseconds limit) {
  auto answers = make_ends();
  auto words = make_ends();
  if (!answers || !words)
    return tl::unexpected(answers ? words.error() : answers.error());
  const auto until = steady_clock::now() + limit;
  const auto child = ::fork();
  if (child < 0)
    return tl::unexpected(errno_failure(errno, "fork"));
  if (child == 0)
    answer(work, answers->writer.get(), words->writer.get());
  answers->writer.reset();
  words->writer.reset();
  auto text = std::string{};
  auto last_words = std::string{};
  const bool in_time =
    listen(answers->reader.get(), text, words->reader.get(), last_words, until);
  if (!in_time)
    ::kill(child, SIGKILL);
  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0 && errno == EINTR)
    continue;
  if (!in_time)
    return fail(ec::deadline_exceeded,
                fmt::format("it was not done after {} ms", limit.count()));
  if (text.size() < 2 || text.front() != is_answer)
    return tl::unexpected(end_of(ended, std::move(last_words)));
  const auto code = static_cast<ec>(static_cast<uint8_t>(text[1]));
  text.erase(0, 2);
  if (code != ec::none)
    return fail(code, std::move(text));
  return text;
}

} // namespace forkfleet
