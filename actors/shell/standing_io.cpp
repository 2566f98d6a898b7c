// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/standing_io.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <string_view>
#include <unistd.h>

#include "actors/shell/signals.hpp"

namespace forkfleet::shell {

namespace {

/// All of it, or false.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    if (!await_io(fd, POLLOUT))
      return false;
    // So much is taken at once by a pipe that can take anything.
    const auto put =
      ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (put < 0 && errno != EINTR && errno != EAGAIN)
      return false;
    if (put > 0)
      bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

} // namespace

bool await_io(int fd, short events) {
  auto entries = std::array{pollfd{.fd = fd, .events = events, .revents = 0},
                            pollfd{.fd = signal_source::handle_in_use(),
                                   .events = POLLIN,
                                   .revents = 0}};
  for (;;) {
    const bool has_come = signal_source::has_come();
    const int ready = ::poll(entries.data(), entries.size(), has_come ? 0 : -1);
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready < 0 || entries[0].revents != 0)
      return true; // the next call on it tells what is wrong
    if (has_come || entries[1].revents != 0)
      return false;
  }
}

expected<std::string> read_standing(int fd, std::size_t bytes_max,
                                    const std::string& what) {
  auto room = std::string(bytes_max, '\0');
  for (;;) {
    if (!await_io(fd, POLLIN) || signal_source::has_come())
      return fail(ec::cancelled, "interrupted");
    const auto got = ::read(fd, room.data(), room.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got < 0)
      return tl::unexpected{errno_failure(errno, what)};
    room.resize(static_cast<std::size_t>(got));
    return room;
  }
}

standing_buffer::standing_buffer(int fd) : fd_{fd} {
  setp(room_.data(), room_.data() + room_.size());
}

standing_buffer::int_type standing_buffer::overflow(int_type c) {
  if (sync() != 0)
    return traits_type::eof();
  if (!traits_type::eq_int_type(c, traits_type::eof())) {
    *pptr() = traits_type::to_char_type(c);
    pbump(1);
  }
  return traits_type::not_eof(c);
}

int standing_buffer::sync() {
  const auto bytes =
    std::string_view{pbase(), static_cast<std::size_t>(pptr() - pbase())};
  const bool is_written = write_all(fd_, bytes);
  setp(room_.data(), room_.data() + room_.size());
  return is_written ? 0 : -1;
}

} // namespace forkfleet::shell
