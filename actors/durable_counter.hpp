// SPDX-License-Identifier: Apache-2.0
// A number that only grows, also over a crash: a node's incarnation, the
// coordinator's epoch. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"

namespace forkfleet {

/// A counter in a file of its own. One process at a time may use the file;
/// `directory_lock` sees to that.
class durable_counter {
public:
  explicit durable_counter(std::string path) : path_(std::move(path)) {}

  /// The last number that was handed out; 0 when there is no file yet. A
  /// file that holds something else is io_failed: to start again at 1 would
  /// hand out old numbers.
  expected<uint64_t> value() const;

  /// The next number, on the disk before it is returned, also when that is
  /// full: the programs that free it need one. The first is 1.
  expected<uint64_t> next();

  /// Makes sure that `next` returns more than `least`.
  status raise_to(uint64_t least);

private:
  status keep(uint64_t number) const;

  std::string path_;
};

} // namespace forkfleet
