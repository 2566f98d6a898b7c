// SPDX-License-Identifier: Apache-2.0
#include "node/preload/overlay.hpp"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace forkfleet::preload {

namespace {

constexpr uint64_t page_bytes = 4096;

// The front of `text` up to `mark`, which is taken off, too.
std::string_view take_until(std::string_view& text, char mark) {
  std::size_t size = 0;
  while (size < text.size() && text[size] != mark)
    ++size;
  const auto front = std::string_view{text.data(), size};
  text.remove_prefix(size < text.size() ? size + 1 : size);
  return front;
}

bool take_word(std::string_view& line, std::string_view word) {
  return take_until(line, ' ') == word;
}

bool take_number(std::string_view& line, uint64_t& result) {
  const auto digits = take_until(line, ' ');
  result = 0;
  for (const char c : digits) {
    const auto digit = static_cast<uint64_t>(c - '0');
    if (c < '0' || c > '9' || result > (UINT64_MAX - digit) / 10)
      return false;
    result = result * 10 + digit;
  }
  return !digits.empty();
}

bool take_path(std::string_view line, std::string_view& result) {
  result = line;
  return line.size() < PATH_MAX && line.starts_with('/');
}

bool is_whole(uint64_t x) {
  return x % page_bytes == 0;
}

// Closes what it opened.
struct open_files {
  std::array<int, overlay_files_max> fds = {};
  std::array<uint64_t, overlay_files_max> sizes = {};
  std::size_t count = 0;

  open_files() = default;
  open_files(const open_files&) = delete;
  ~open_files() {
    for (std::size_t i = 0; i < count; ++i)
      ::close(fds[i]);
  }

  bool open(std::string_view path) {
    auto name = std::array<char, PATH_MAX>{};
    path.copy(name.data(), name.size() - 1);
    fds[count] = ::open(name.data(), O_RDONLY | O_CLOEXEC);
    if (fds[count] < 0)
      return false;
    struct stat found = {};
    const bool is_known = ::fstat(fds[count], &found) == 0;
    sizes[count] = static_cast<uint64_t>(found.st_size);
    ++count;
    return is_known;
  }
};

// The system call itself: `mmap` is what this library stands in for.
bool map_over(uint8_t* where, uint64_t bytes, int protection, int flags, int fd,
              uint64_t offset) {
  const long got = ::syscall(SYS_mmap, where, bytes, protection,
                             flags | MAP_FIXED, fd, offset);
  return got != -1;
}

} // namespace

bool next_run(std::string_view& runs, overlay_run& result) {
  if (runs.empty())
    return false;
  auto line = take_until(runs, '\n');
  result = {};
  const auto kind = take_until(line, ' ');
  result.is_zero = kind == "zero";
  if (!result.is_zero && kind != "run")
    return false;
  if (!take_number(line, result.address) || !take_number(line, result.bytes))
    return false;
  uint64_t file = 0;
  if (!result.is_zero
      && (!take_number(line, file) || !take_number(line, result.offset)))
    return false;
  result.file = static_cast<std::size_t>(file);
  return line.empty();
}

namespace {

// The runs themselves, up to the line of their number.
bool check_runs(std::string_view text, overlay& x) {
  const char* begin = text.data();
  uint64_t count = 0;
  for (uint64_t end = 0; text.starts_with('r') || text.starts_with('z');) {
    auto run = overlay_run{};
    if (!next_run(text, run) || run.bytes == 0 || run.address < end)
      return false;
    if (!is_whole(run.address) || !is_whole(run.bytes) || !is_whole(run.offset))
      return false;
    if (!run.is_zero
        && (run.file >= x.file_count || run.offset > UINT64_MAX - run.bytes))
      return false;
    if (run.address > x.memory_bytes
        || run.bytes > x.memory_bytes - run.address)
      return false;
    end = run.address + run.bytes;
    ++count;
  }
  x.runs = {begin, static_cast<std::size_t>(text.data() - begin)};
  auto line = take_until(text, '\n');
  uint64_t told = 0;
  return take_word(line, "end") && take_number(line, told) && told == count
         && line.empty() && text.empty();
}

} // namespace

bool read_overlay(std::string_view text, overlay& result) {
  result = {};
  if (!text.ends_with('\n') || take_until(text, '\n') != "forkfleet overlay 1")
    return false;
  auto line = take_until(text, '\n');
  if (!take_word(line, "memory") || !take_number(line, result.memory_bytes)
      || !line.empty() || !is_whole(result.memory_bytes))
    return false;
  line = take_until(text, '\n');
  if (!take_word(line, "base") || !take_path(line, result.base))
    return false;
  while (text.starts_with("file ")) {
    line = take_until(text, '\n');
    if (result.file_count == overlay_files_max || !take_word(line, "file")
        || !take_path(line, result.files[result.file_count]))
      return false;
    ++result.file_count;
  }
  return check_runs(text, result);
}

bool map_runs(const overlay& x, uint8_t* start, int protection, int flags) {
  auto files = open_files{};
  for (std::size_t i = 0; i < x.file_count; ++i)
    if (!files.open(x.files[i]))
      return false;
  auto runs = x.runs;
  for (auto run = overlay_run{}; next_run(runs, run);) {
    auto* where = start + run.address;
    if (run.is_zero) {
      if (!map_over(where, run.bytes, protection, flags | MAP_ANONYMOUS, -1, 0))
        return false;
      continue;
    }
    // Beyond its file's end a mapping is a trap.
    const auto size = files.sizes[run.file];
    if (run.offset > size || run.bytes > size - run.offset) {
      errno = ENXIO;
      return false;
    }
    if (!map_over(where, run.bytes, protection, flags, files.fds[run.file],
                  run.offset))
      return false;
  }
  return true;
}

} // namespace forkfleet::preload
