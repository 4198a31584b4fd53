import requests


class HITLClient:
    def __init__(self, api_key, base_url="https://api.hitl.sh/v1"):
        self.api_key = api_key
        self.base_url = base_url
        self.headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json"
        }

    def create_request(self, loop_id, data):
        response = requests.post(
            f"{self.base_url}/loops/{loop_id}/requests",
            headers=self.headers,
            json=data
        )
        return response.json()

    def get_response(self, request_id):
        response = requests.get(
            f"{self.base_url}/requests/{request_id}/response",
            headers=self.headers
        )
        return response.json()

    # Used by configure_webhook below, which the document gives without it.
    def create_webhook(self, data):
        response = requests.post(
            f"{self.base_url}/webhooks",
            headers=self.headers,
            json=data
        )
        return response.json()


def submit_content_for_review(content, loop_id):
    client = HITLClient(API_KEY)

    request_data = {
        "content": content.text,
        "content_type": "text",
        "priority": "normal",
        "ai_analysis": {
            "confidence": content.ai_confidence,
            "flags": content.ai_flags,
            "risk_score": content.risk_score
        },
        "metadata": {
            "user_id": content.user_id,
            "timestamp": content.created_at.isoformat(),
            "source": "content_api"
        }
    }

    try:
        response = client.create_request(loop_id, request_data)
        return response["id"]
    except Exception as e:
        logger.error(f"Failed to submit request: {e}")
        raise


def process_human_decision(request_id):
    client = HITLClient(API_KEY)

    # Poll for response (in production, use webhooks instead)
    while True:
        response = client.get_response(request_id)

        if response and response.get("status") == "completed":
            decision = response["decision"]

            if decision == "approved":
                handle_approval(request_id, response)
            elif decision == "rejected":
                handle_rejection(request_id, response)
            elif decision == "needs_changes":
                handle_modification_request(request_id, response)

            break

        time.sleep(30)  # Wait 30 seconds before checking again


def configure_webhook(loop_id, webhook_url):
    client = HITLClient(API_KEY)

    webhook_data = {
        "url": webhook_url,
        "events": ["request.completed", "request.escalated"],
        "loop_id": loop_id,
        "secret": generate_webhook_secret()
    }

    response = client.create_webhook(webhook_data)
    return response["id"]
