// SPDX-License-Identifier: Apache-2.0
#include "actors/link/guard.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "actors/link/dialer.hpp"
#include "actors/link/listener.hpp"
#include "actors/link/session.hpp"
#include "actors/link/waiting_room.hpp"
#include "actors/suppressed_lines.hpp"

namespace forkfleet {

namespace {

constexpr std::chrono::milliseconds housekeeping{10000};

failure ending_failure() {
  return {ec::shutting_down, "this program is ending"};
}

} // namespace

class guard::impl {
public:
  impl(const link_limits& limits, std::string own_node)
    : room_(limits.waiting_max, limits.waiting_of_address_max),
      work_(asio::make_work_guard(io_)), housekeeping_(io_) {
    core_.limits = limits;
    core_.own_node = std::move(own_node);
    keep_house();
    thread_ = std::thread{[this] { io_.run(); }};
  }

  ~impl() { shut_down(); }

  expected<uint16_t> listen(const link_endpoint& where, const tls_material& tls,
                            accepted then) {
    auto on_socket = [this, then = std::move(then)](net_socket socket,
                                                    const door& how) {
      receive(std::move(socket), how, then);
    };
    auto made = std::make_shared<listener>(core_, io_, std::move(on_socket));
    auto port = made->open(where, tls);
    if (port)
      asio::post(io_, [this, made] {
        listeners_.push_back(made);
        made->start();
      });
    return port;
  }

  void dial(uint64_t number, link_endpoint where, tls_material tls,
            std::chrono::milliseconds limit, dial_events then) {
    auto& limits = core_.limits;
    const auto time = dialer::limits{.connect = std::min(limits.connect, limit),
                                     .whole = std::min(limits.dial, limit),
                                     .open_loopback = limits.open_loopback};
    auto made = std::make_shared<dialer>(
      io_, std::move(where), std::move(tls), time,
      [this, number, then = std::move(then)](auto outcome) {
        on_dialled(number, std::move(outcome), then);
      });
    const auto lock = std::lock_guard{ending_mutex_};
    if (is_ending_)
      return made->cancel(ending_failure());
    asio::post(io_, [this, number, made] {
      dials_[number].dialling = made;
      made->start();
    });
  }

  void drop(uint64_t number) {
    asio::post(io_, [this, number] {
      const auto at = dials_.find(number);
      if (at != dials_.end())
        end(at->second, {ec::interrupted, "dropped for another dial"});
    });
  }

  void deny(std::vector<std::string> entries) {
    const auto lock = std::lock_guard{ending_mutex_};
    if (is_ending_)
      return;
    asio::post(io_, [this, entries = std::move(entries)] {
      core_.denied.deny(entries);
      for (const auto& x : sessions_)
        if (const auto open = x.lock())
          open->judge_again();
    });
  }

  uint64_t next_number() { return ++numbers_; }
  const guard_core& core() const { return core_; }

  void shut_down() {
    {
      // What was asked before this comes before it on the guard's thread.
      const auto lock = std::lock_guard{ending_mutex_};
      if (std::exchange(is_ending_, true))
        return;
      asio::post(io_, [this] { close_all(); });
    }
    thread_.join();
  }

private:
  struct dial_state {
    std::weak_ptr<dialer> dialling;
    std::weak_ptr<session> connected;
  };

  static void end(const dial_state& x, const failure& why) {
    const auto dialling = x.dialling.lock();
    const auto connected = x.connected.lock();
    if (dialling)
      dialling->cancel(why);
    if (connected)
      connected->close(ending::closed, why);
  }

  void receive(net_socket socket, const door& how, const accepted& then) {
    auto made = std::make_shared<session>(
      core_, io_, std::make_unique<peer_stream>(std::move(socket)),
      session::events{.ready = then, .closed = nullptr});
    auto is_over = [](const auto& x) { return x.expired(); };
    sessions_.erase(std::remove_if(sessions_.begin(), sessions_.end(), is_over),
                    sessions_.end());
    sessions_.push_back(made);
    make_room_for(made);
    made->accept(how);
  }

  void make_room_for(const std::shared_ptr<session>& made) {
    std::erase_if(waiting_, [this](const auto& x) {
      const auto open = x.second.lock();
      const auto is_over = !open || open->is_settled();
      if (is_over)
        room_.leave(x.first);
      return is_over;
    });
    const auto number = ++waited_;
    waiting_[number] = made;
    const auto gone = room_.enter(number, made->address());
    if (!gone)
      return;
    if (const auto open = waiting_[*gone].lock())
      open->close(ending::over_cap,
                  {ec::node_busy, "too many that do not show who they are"});
    waiting_.erase(*gone);
  }

  void on_dialled(uint64_t number, expected<dialer::stream_ptr> outcome,
                  const dial_events& then) {
    if (!outcome) {
      dials_.erase(number);
      return then.dialled(tl::unexpected(outcome.error()));
    }
    auto made = std::make_shared<session>(
      core_, io_, std::move(*outcome),
      session::events{
        .ready = then.dialled,
        .closed = [this, number, closed = then.closed](const failure& why) {
          dials_.erase(number);
          closed(why);
        }});
    dials_[number] = {.dialling = {}, .connected = made};
    made->run_dialled();
  }

  void keep_house() {
    housekeeping_.arm(housekeeping, [this] {
      log::tell_suppressed();
      keep_house();
    });
  }

  void close_all() {
    const auto why = ending_failure();
    for (const auto& x : listeners_)
      x->close();
    for (const auto& x : sessions_)
      if (const auto open = x.lock())
        open->close(ending::closed, why);
    // Ending one takes it out of the table.
    while (!dials_.empty()) {
      const auto first = dials_.begin();
      const auto x = first->second;
      const auto number = first->first;
      end(x, why);
      dials_.erase(number);
    }
    log::tell_suppressed();
    housekeeping_.disarm();
    work_.reset();
    // A name lookup can not be cancelled; its answer is not waited for.
    asio::post(io_, [this] { io_.stop(); });
  }

  guard_core core_;
  waiting_room room_;
  uint64_t waited_ = 0;
  std::map<uint64_t, std::weak_ptr<session>> waiting_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  deadline housekeeping_;
  std::vector<std::shared_ptr<listener>> listeners_;
  std::vector<std::weak_ptr<session>> sessions_;
  std::map<uint64_t, dial_state> dials_;
  std::atomic<uint64_t> numbers_{0};
  std::mutex ending_mutex_;
  bool is_ending_ = false;
  std::thread thread_;
};

guard::guard(const link_limits& limits, std::string own_node)
  : impl_(std::make_shared<impl>(limits, std::move(own_node))) {
  // nop
}

guard::~guard() {
  shut_down();
}

expected<uint16_t> guard::listen(const link_endpoint& where,
                                 const tls_material& tls, accepted then) {
  return impl_->listen(where, tls, std::move(then));
}

uint64_t guard::dial(const link_endpoint& where, const tls_material& tls,
                     std::chrono::milliseconds limit, dial_events then) {
  const auto number = impl_->next_number();
  impl_->dial(number, where, tls, limit, std::move(then));
  return number;
}

void guard::drop(uint64_t dial) {
  impl_->drop(dial);
}

std::string guard::identity_of(std::string_view node) const {
  return impl_->core().peers.identity_of(node);
}

access_subject guard::subject_of(std::string_view node) const {
  return impl_->core().subjects.who_is(node);
}

void guard::deny(std::vector<std::string> entries) {
  impl_->deny(std::move(entries));
}

link_counters guard::counters() const {
  return impl_->core().counts.read();
}

void guard::shut_down() {
  impl_->shut_down();
}

} // namespace forkfleet
