"""A program, for python3: stands before a server and makes it slow. Each piece, either way, arrives late.

    relay.py ADDRESS PORT:SERVERS_PORT:SECONDS ...       "udp" before PORT: datagrams instead of connections"""
import asyncio
import sys


async def pour(source, drain, delay):
    try:
        while piece := await source.read(65536):
            await asyncio.sleep(delay)
            drain.write(piece)
        drain.write_eof()
    except (OSError, RuntimeError):
        drain.close()


def connections(address, port, delay):
    async def serve(reader, writer):
        try:
            from_server, to_server = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pour(reader, to_server, delay), pour(from_server, writer, delay))
        to_server.close()
        writer.close()
    return serve


class Answers(asyncio.DatagramProtocol):
    """Of the server, for one who asked."""

    def __init__(self, relay, client):
        self.relay, self.client = relay, client

    def datagram_received(self, data, addr):
        self.relay.later(self.relay.transport, data, self.client)


class Questions(asyncio.DatagramProtocol):
    def __init__(self, address, port, delay):
        self.server, self.delay, self.transport, self.out = (address, port), delay, None, {}

    def connection_made(self, transport):
        self.transport = transport

    def later(self, transport, data, addr=None):
        asyncio.get_running_loop().call_later(self.delay, transport.sendto, data, addr)

    def datagram_received(self, data, addr):
        asyncio.ensure_future(self.ask(data, addr))

    async def ask(self, data, client):
        if client not in self.out:
            self.out[client], _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Answers(self, client), remote_addr=self.server)
        self.later(self.out[client], data)


async def main(address, *relays):
    for relay in relays:
        listen, port, delay = relay.removeprefix("udp").split(":")
        if relay.startswith("udp"):
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda a=(address, int(port), float(delay)): Questions(*a), local_addr=(address, int(listen)))
        else:
            await asyncio.start_server(connections(address, int(port), float(delay)), address, int(listen))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
