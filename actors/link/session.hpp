// SPDX-License-Identifier: Apache-2.0
// One connection through the guard: frames from the peer are checked and
// passed to CAF, frames from CAF are noted and passed to the peer. Holds at
// most one frame and one buffer in each direction; who does not read is not
// read from.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/link/asio.hpp"
#include "actors/link/deadline.hpp"
#include "actors/link/door.hpp"
#include "actors/link/exchange.hpp"
#include "actors/link/frame_check.hpp"
#include "actors/link/guard_core.hpp"
#include "actors/link/outgoing_check.hpp"
#include "actors/link/owned_fd.hpp"
#include "actors/link/peer_stream.hpp"

namespace forkfleet {

/// Used on the guard's thread alone. Keeps itself alive until it is closed.
class session : public std::enable_shared_from_this<session> {
public:
  struct events {
    /// CAF's end of the connection; once, and only for a peer that may talk
    /// to us.
    std::function<void(owned_fd)> ready;
    /// Once, at the end. The failure says why, also after an orderly end.
    std::function<void(const failure&)> closed;
  };

  session(guard_core& core, asio::io_context& io,
          std::unique_ptr<peer_stream> net, events then);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// For a connection that we accepted through `how`. CAF gets it after the
  /// peer's first sound frame.
  void accept(const door& how);

  /// For a connection that we dialled, after its TLS handshake. CAF gets it
  /// at once.
  void run_dialled();

  /// Ends it if its peer is denied access now.
  void judge_again();

  /// Ends it; no effect on one that has ended.
  void close(ending how, failure why);

  /// Whether it has shown who it is, or has ended.
  bool is_settled() const { return is_greeted_ || is_closed_; }
  /// Where it comes from, without the port.
  std::string address() const {
    return net_->peer().substr(0, net_->peer().rfind(':'));
  }

private:
  /// What waits to be written, and what is being written.
  struct lane {
    std::vector<char> waiting;
    std::vector<char> flying;
    std::size_t answers_waiting = 0;
    std::size_t answers_flying = 0;
    bool is_busy() const { return !flying.empty(); }
    std::size_t bytes() const { return waiting.size() + flying.size(); }
    bool take_next();
  };

  void on_handshake(const error_code& x);
  void on_token(const expected<access_subject>& who);
  /// Ends it when the peer's certificate expires.
  void watch_term();
  void start(frame_check::side which, peer_role role);
  bool hand_over();
  void read_peer();
  void on_peer_bytes(const error_code& x, std::size_t bytes);
  bool greet();
  frame_fault enter();
  void note_frames();
  void answer_refusals();
  void limit_next_read();
  void go_on_reading();
  void flush_inward();
  void flush_outward();
  void on_written_outward(const error_code& x);
  void read_caf();
  void on_caf_bytes(const error_code& x, std::size_t bytes);
  void note_oversizes();
  /// Ends it, and tells a program that we serve why: once, and for a request.
  void refuse(frame_fault fault);
  void say_farewell();
  void lost(const error_code& x);
  void time_out(const char* what);

  guard_core& core_;
  std::unique_ptr<peer_stream> net_;
  asio::local::stream_protocol::socket caf_;
  events events_;
  deadline in_limit_;
  deadline out_limit_;
  place place_;
  std::optional<exchange> exchange_;
  deadline term_;
  std::optional<frame_check> check_;
  std::optional<outgoing_check> outgoing_;
  std::string identity_;
  access_subject subject_;
  std::chrono::system_clock::time_point until_ = {}; // of the certificate
  uint64_t frames_seen_ = 0;
  std::string farewell_;
  bool is_greeted_ = false;
  bool was_mid_frame_ = false;
  bool is_closed_ = false;
  bool is_reading_peer_ = false;
  bool is_reading_caf_ = false;
  uint64_t answers_refused_seen_ = 0;
  lane inward_;
  lane outward_;
  std::array<char, 65536> from_peer_;
  std::array<char, 65536> from_caf_;
};

} // namespace forkfleet
