"""A producer with a fixed URL: posts JSON to /queue, several requests at a time, and counts the 202s."""

import asyncio
import json
import sys

from tornado.httpclient import AsyncHTTPClient


async def main(port, count):
    client = AsyncHTTPClient(max_clients=10)

    async def post(number):
        body = json.dumps({"number": number, "text": "h\u00e9llo"})
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{port}/queue"
        response = await client.fetch(url, method="POST", headers=headers, body=body)
        return response.code

    codes = await asyncio.gather(*[post(number) for number in range(count)])
    print(sum(code == 202 for code in codes), flush=True)


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
