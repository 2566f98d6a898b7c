// SPDX-License-Identifier: Apache-2.0
// The exchange of proofs over a fresh loopback connection, from both sides.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "actors/link/asio.hpp"
#include "actors/link/peer_stream.hpp"
#include "actors/link/token_proof.hpp"

namespace forkfleet {

/// Used on the guard's thread alone; whoever starts it limits its time by
/// closing the stream. Keeps itself alive until it is done.
class token_handshake : public std::enable_shared_from_this<token_handshake> {
public:
  /// Called once. Failures: not_permitted and why, node_down for a connection
  /// that was lost.
  using done = std::function<void(expected<access_subject>)>;

  /// `stream` outlives it.
  token_handshake(peer_stream& stream, done then);

  /// Proves the token of the file `path`, and has the other side prove that
  /// it knows it, before anything else is sent.
  void dial(const std::string& path);

  /// Has the other side prove one of the tokens in `directory`. A name that
  /// is not there is answered like a wrong secret.
  void accept(const std::string& directory);

private:
  using bytes = std::shared_ptr<std::string>;

  void read(std::size_t count, std::function<void(const std::string&)> then);
  void write(std::string text, std::function<void()> then);
  void on_hello(const std::string& directory, const std::string& hello);
  void on_answer(const std::string& answer);
  token_exchange exchange() const;
  void finish(expected<access_subject> outcome);
  void refuse(std::string why);

  peer_stream& stream_;
  done then_;
  access_token token_ = {};
  bool is_known_ = true;
  std::string dialler_nonce_ = {};
  std::string listener_nonce_ = {};
  std::string endpoints_ = {};
};

} // namespace forkfleet
