// SPDX-License-Identifier: Apache-2.0
// What CAF sends to a peer, on its way out: notes what is asked and answered,
// and stops what the peer would have to refuse for its size. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/link/exchange.hpp"
#include "actors/link/frame.hpp"

namespace forkfleet {

/// Reads the frames of one connection's other direction.
class outgoing_check {
public:
  /// A message that was too big.
  struct oversize {
    frame_header head = {};
    std::size_t bytes = 0;
  };

  /// `with` outlives this.
  explicit outgoing_check(exchange& with) : with_(with) {}

  /// Takes what CAF has written, in pieces of any size. Whole frames are
  /// appended to `out`. In place of an answer that is too big stands an
  /// error; a request that is too big is answered in `back`, as the peer
  /// would have.
  void feed(std::string_view bytes, std::vector<char>& out,
            std::vector<char>& back);

  /// What was too big since the last call.
  std::vector<oversize> take_oversizes() {
    return std::exchange(oversizes_, {});
  }
  /// Answers among what was appended to `out` since the last call.
  std::size_t take_answers() { return std::exchange(answers_, 0); }

private:
  void pass(const frame_header& head, std::string_view payload,
            std::vector<char>& out);
  void note_direct(frame_header& head, std::string_view payload);
  void note_handshake(std::string_view payload);
  void stop(const frame_header& head, std::vector<char>& out,
            std::vector<char>& back);

  exchange& with_;
  std::string pending_;
  std::size_t to_skip_ = 0;
  std::size_t answers_ = 0;
  std::vector<oversize> oversizes_;
};

} // namespace forkfleet
