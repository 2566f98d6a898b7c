// SPDX-License-Identifier: Apache-2.0
#include "node/bench/kernel_settings.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "actors/durable_file.hpp"
#include "actors/schema/json.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::bench {

namespace {

constexpr std::string_view white_space = " \t\n";

std::string chosen_of(const std::string& text) {
  const auto begin = text.find('[');
  const auto end = text.find(']');
  if (begin == std::string::npos || end == std::string::npos || end < begin)
    return text.substr(0, text.find_last_not_of(white_space) + 1);
  return text.substr(begin + 1, end - begin - 1);
}

/// 0, or errno's value.
int write_setting(const std::string& path, const std::string& text) {
  const auto fd = unique_fd{open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!fd || write(fd.get(), text.data(), text.size()) < 0)
    return errno;
  return 0;
}

/// Nothing is left to put back there: its device or its file is gone.
bool is_gone(int number) {
  return number == ENODEV || number == ENXIO || number == ENOENT;
}

} // namespace

expected<std::string> read_setting(const std::string& path) {
  const auto text = read_small_file(path);
  if (!text)
    return tl::unexpected(text.error());
  return chosen_of(*text);
}

expected<kernel_settings> kernel_settings::open(const std::string& directory,
                                                std::size_t* found) {
  if (auto made = make_directories(directory); !made)
    return tl::unexpected(made.error());
  auto lock = directory_lock::take(directory);
  if (!lock)
    return tl::unexpected(lock.error());
  auto result = kernel_settings{directory, std::move(*lock)};
  if (auto loaded = result.load(); !loaded)
    return tl::unexpected(loaded.error());
  if (found != nullptr)
    *found = result.known_.changes.size();
  if (const auto problems = result.put_back(); !problems.empty())
    return fail(ec::io_failed, "a run that was killed left settings that "
                               "cannot be put back: "
                                 + problems.front());
  return result;
}

status kernel_settings::load() {
  if (access(record().c_str(), F_OK) != 0)
    return {};
  const auto text = read_small_file(record());
  if (!text)
    return tl::unexpected(text.error());
  const auto value = schema::parse_json(*text);
  if (!value)
    return fail(ec::io_failed, record() + ": " + value.error().message);
  auto changes = schema::from_json<kernel_changes>(*value);
  if (!changes)
    return fail(ec::io_failed, record() + ": " + changes.error().message);
  known_ = std::move(*changes);
  return {};
}

status kernel_settings::keep() const {
  return write_durably(record(), schema::dump(schema::to_json(known_), 2));
}

status kernel_settings::change(const std::string& path,
                               const std::string& text) {
  auto before = read_setting(path);
  if (!before)
    return tl::unexpected(before.error());
  return change(path, text, {path, std::move(*before)});
}

status kernel_settings::change(const std::string& path, const std::string& text,
                               kernel_change undo) {
  known_.changes.push_back(std::move(undo));
  if (auto kept = keep(); !kept)
    return kept;
  if (const auto problem = write_setting(path, text); problem != 0)
    return tl::unexpected(errno_failure(problem, "write " + path));
  return {};
}

std::vector<std::string> kernel_settings::put_back() {
  std::vector<std::string> problems;
  while (!known_.changes.empty()) {
    const auto last = std::move(known_.changes.back());
    known_.changes.pop_back();
    const auto problem = write_setting(last.path, last.before);
    if (problem != 0 && !is_gone(problem))
      problems.push_back(errno_failure(problem, "write " + last.path).message);
  }
  if (problems.empty() && !directory_.empty())
    unlink(record().c_str());
  return problems;
}

} // namespace forkfleet::bench
