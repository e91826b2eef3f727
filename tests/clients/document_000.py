import time
import requests

tracking_id = "CLIENT_CREATE|406362bf-..."
url = f"https://turnomifos.incentius.net/api/fineract/track/{tracking_id}"
headers = {"X-Internal-Token": "your-token"}

while True:
    resp = requests.get(url, headers=headers).json()
    if resp["status"] != "processing":
        print(resp)
        break
    time.sleep(2)
