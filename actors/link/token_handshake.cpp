// SPDX-License-Identifier: Apache-2.0
#include "actors/link/token_handshake.hpp"

#include <algorithm>
#include <utility>

#include "actors/ids.hpp"

namespace forkfleet {

namespace {

/// What does not open with the exchange: a program that has no token, or
/// something else altogether.
constexpr const char* no_token =
  "this port takes connections with a token alone (forkfleet --token)";

access_subject subject_of(const access_token& x) {
  return {.name = "token:" + x.name, .serial = {}, .role = x.role};
}

} // namespace

token_handshake::token_handshake(peer_stream& stream, done then)
  : stream_(stream), then_(std::move(then)) {
  // nop
}

void token_handshake::dial(const std::string& path) {
  auto token = read_token(path);
  if (!token)
    return finish(tl::unexpected(token.error()));
  token_ = std::move(*token);
  endpoints_ = stream_.own() + ' ' + stream_.peer();
  dialler_nonce_ = random_bytes(token_nonce_size);
  if (dialler_nonce_.empty())
    return refuse("no random bytes");
  auto hello = std::string{token_mark} + token_.name;
  hello.resize(token_mark.size() + token_name_max + 1, '\0');
  hello += dialler_nonce_;
  write(std::move(hello), [self = shared_from_this()] {
    self->read(token_answer_size,
               [self](const std::string& x) { self->on_answer(x); });
  });
}

void token_handshake::on_answer(const std::string& answer) {
  listener_nonce_ = answer.substr(0, token_nonce_size);
  const auto proof = answer.substr(token_nonce_size);
  if (!is_proof(exchange(), token_side::listener, proof))
    return refuse("who listens there did not prove that it knows the token '"
                  + token_.name
                  + "': it is not our coordinator, or the token was removed");
  write(prove(exchange(), token_side::dialler), [self = shared_from_this()] {
    self->finish(subject_of(self->token_));
  });
}

void token_handshake::accept(const std::string& directory) {
  endpoints_ = stream_.peer() + ' ' + stream_.own();
  read(token_mark.size(),
       [self = shared_from_this(), directory](const std::string& mark) {
         // Who speaks another language is told at once.
         if (mark != token_mark)
           return self->refuse(no_token);
         self->read(token_hello_size - token_mark.size(),
                    [self, directory](const std::string& rest) {
                      self->on_hello(directory, rest);
                    });
       });
}

void token_handshake::on_hello(const std::string& directory,
                               const std::string& hello) {
  const auto name = hello.substr(0, std::min(hello.find('\0'), token_name_max));
  dialler_nonce_ = hello.substr(hello.size() - token_nonce_size);
  listener_nonce_ = random_bytes(token_nonce_size);
  if (!is_safe_name(name, token_name_max) || listener_nonce_.empty())
    return refuse(no_token);
  auto token = read_token(token_path(directory, name));
  is_known_ = token && token->name == name;
  // A secret that nobody has: the answer looks like any other.
  token_ = is_known_ ? std::move(*token)
                     : access_token{.name = name, .secret = random_bytes(64)};
  write(listener_nonce_ + prove(exchange(), token_side::listener),
        [self = shared_from_this()] {
          self->read(token_proof_size, [self](const std::string& proof) {
            const auto is_right =
              is_proof(self->exchange(), token_side::dialler, proof);
            if (!is_right || !self->is_known_)
              return self->refuse("no proof of the token '" + self->token_.name
                                  + "'");
            self->finish(subject_of(self->token_));
          });
        });
}

token_exchange token_handshake::exchange() const {
  return {.secret = token_.secret,
          .name = token_.name,
          .dialler_nonce = dialler_nonce_,
          .listener_nonce = listener_nonce_,
          .endpoints = endpoints_};
}

void token_handshake::read(std::size_t count,
                           std::function<void(const std::string&)> then) {
  const auto into = std::make_shared<std::string>(count, '\0');
  stream_.read_all(asio::buffer(*into), [self = shared_from_this(), into,
                                         then = std::move(then)](error_code x,
                                                                 std::size_t) {
    if (x)
      return self->finish(fail(ec::not_permitted,
                               "the other side closed the connection before it "
                               "proved itself"));
    then(*into);
  });
}

void token_handshake::write(std::string text, std::function<void()> then) {
  const auto from = std::make_shared<std::string>(std::move(text));
  stream_.write(asio::buffer(*from),
                [self = shared_from_this(), from,
                 then = std::move(then)](error_code x, std::size_t) {
                  if (x)
                    return self->finish(
                      fail(ec::node_down, "connection lost: " + x.message()));
                  then();
                });
}

void token_handshake::refuse(std::string why) {
  finish(fail(ec::not_permitted, std::move(why)));
}

void token_handshake::finish(expected<access_subject> outcome) {
  if (const auto then = std::exchange(then_, nullptr))
    then(std::move(outcome));
}

} // namespace forkfleet
