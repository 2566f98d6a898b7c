// SPDX-License-Identifier: Apache-2.0
// Reads and writes of files that may stand for ever, such as a pipe that
// nobody reads: a signal that a signal_source takes ends the waiting.
#pragma once

#include <array>
#include <streambuf>
#include <string>

#include "actors/error.hpp"

namespace forkfleet::shell {

/// Waits until `fd` is ready for `events` of poll(2). False: a signal came
/// first, now or earlier.
bool await_io(int fd, short events);

/// The next bytes of `fd`, at most `bytes_max`; empty at its end. cancelled
/// when a signal came first; other errors name `what`.
expected<std::string> read_standing(int fd, std::size_t bytes_max,
                                    const std::string& what);

/// A stream's way to a file that may stand. After a signal, what cannot be
/// written at once is not written, and the stream is bad.
class standing_buffer : public std::streambuf {
public:
  explicit standing_buffer(int fd);
  standing_buffer(const standing_buffer&) = delete;
  standing_buffer& operator=(const standing_buffer&) = delete;

protected:
  int_type overflow(int_type c) override;
  int sync() override;

private:
  int fd_;
  std::array<char, 65536> room_ = {};
};

} // namespace forkfleet::shell
