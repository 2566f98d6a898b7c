// SPDX-License-Identifier: Apache-2.0
// A server of HTTP/1.1 on a Unix socket that behaves like Firecracker's: one
// thread, few connections, one request after the other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::test {

struct fake_request {
  std::string method = {};
  std::string target = {};
  std::string body = {};
};

struct fake_answer {
  unsigned code = 204;
  std::string body = {};
  bool ends_server = false; // after it was sent
  bool is_lost = false;     // the connection is closed instead
};

class fake_http {
public:
  using handler = std::function<fake_answer(const fake_request&)>;

  /// Connections at once; more are told so and closed.
  static constexpr std::size_t connections_max = 10;
  /// The longest body.
  static constexpr std::size_t body_max = 51200;

  /// Like the real one it refuses a path that exists.
  static expected<fake_http> listen(const std::string& path);

  /// Serves until an answer says that it is the last.
  void run(const handler& handle);

private:
  struct connection {
    unique_fd socket = {};
    std::string pending = {};
  };

  explicit fake_http(unique_fd listener) : listener_{std::move(listener)} {}
  void accept();
  /// Reads what came and answers what is complete; false: it is closed.
  bool serve(connection& x, const handler& handle);

  unique_fd listener_;
  std::vector<connection> connections_ = {};
  bool ends_ = false;
};

} // namespace forkfleet::test
