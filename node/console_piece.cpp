// SPDX-License-Identifier: Apache-2.0
#include "node/console_piece.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/base64.hpp"
#include "actors/unique_fd.hpp"
#include "node/console_ring.hpp"

namespace forkfleet {

namespace {

expected<std::string> read_at(int file, const std::string& path,
                              uint64_t offset) {
  auto text = std::string(guest_bytes_max, '\0');
  const auto got =
    ::pread(file, text.data(), text.size(), static_cast<off_t>(offset));
  if (got < 0)
    return tl::unexpected(errno_failure(errno, path));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

} // namespace

std::size_t tail_begin(std::string_view text, uint64_t lines) {
  auto end = text.size();
  if (end > 0 && text.back() == '\n')
    --end;
  for (; lines > 0 && end != std::string_view::npos; --lines)
    end = end == 0 ? std::string_view::npos : text.rfind('\n', end - 1);
  return end == std::string_view::npos ? 0 : std::min(end + 1, text.size());
}

expected<console_report> read_console(const std::string& path,
                                      const console_request& request) {
  const auto file = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat known {};
  if (!file || ::fstat(file.get(), &known) != 0)
    return tl::unexpected(errno_failure(errno, path));
  const auto size = static_cast<uint64_t>(known.st_size);
  const auto asked = request.tail > 0
                       ? size - std::min<uint64_t>(size, guest_bytes_max)
                       : std::min(request.offset, size);
  auto offset = std::max(asked, ring_begin(file.get(), size));
  auto text = read_at(file.get(), path, offset);
  if (!text)
    return tl::unexpected(text.error());
  const auto next = offset + text->size();
  // What was given back meanwhile reads as zeros.
  if (const auto begin = std::min(ring_begin(file.get(), size), next);
      begin > offset) {
    text->erase(0, begin - offset);
    offset = begin;
  }
  const auto dropped = request.tail > 0 ? 0 : offset - asked;
  if (request.tail > 0) {
    const auto begin = tail_begin(*text, request.tail);
    text->erase(0, begin);
    offset += begin;
  }
  return console_report{.content = to_base64(*text),
                        .offset = offset,
                        .next = next,
                        .has_ended = next >= size,
                        .dropped_bytes = dropped};
}

} // namespace forkfleet
